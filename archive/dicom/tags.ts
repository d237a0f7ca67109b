/** The attributes the app reads, with the VR each has in the dictionary (PS3.6) for implicit and UN encodings. */
export interface Tag {
  readonly tag: number;
  readonly vr: string;
}

const of = (tag: number, vr: string): Tag => ({ tag, vr });

export const tags = {
  mediaStorageSopClass: of(0x00020002, "UI"),
  mediaStorageSopInstance: of(0x00020003, "UI"),
  transferSyntax: of(0x00020010, "UI"),
  characterSet: of(0x00080005, "CS"),
  sopClass: of(0x00080016, "UI"),
  sopInstance: of(0x00080018, "UI"),
  studyDate: of(0x00080020, "DA"),
  studyTime: of(0x00080030, "TM"),
  accessionNumber: of(0x00080050, "SH"),
  modality: of(0x00080060, "CS"),
  conversionType: of(0x00080064, "CS"),
  manufacturer: of(0x00080070, "LO"),
  studyDescription: of(0x00081030, "LO"),
  seriesDescription: of(0x0008103e, "LO"),
  anatomicRegion: of(0x00082218, "SQ"),
  codeValue: of(0x00080100, "SH"),
  patientName: of(0x00100010, "PN"),
  patientId: of(0x00100020, "LO"),
  patientBirthDate: of(0x00100030, "DA"),
  patientSex: of(0x00100040, "CS"),
  bodyPart: of(0x00180015, "CS"),
  viewPosition: of(0x00185101, "CS"),
  imagerPixelSpacing: of(0x00181164, "DS"),
  nominalScannedPixelSpacing: of(0x00182010, "DS"),
  studyInstance: of(0x0020000d, "UI"),
  seriesInstance: of(0x0020000e, "UI"),
  seriesNumber: of(0x00200011, "IS"),
  instanceNumber: of(0x00200013, "IS"),
  patientOrientation: of(0x00200020, "CS"),
  imagePosition: of(0x00200032, "DS"),
  imageOrientation: of(0x00200037, "DS"),
  laterality: of(0x00200060, "CS"),
  imageLaterality: of(0x00200062, "CS"),
  imageComments: of(0x00204000, "LT"),
  frameAnatomy: of(0x00209071, "SQ"),
  frameLaterality: of(0x00209072, "CS"),
  concatenation: of(0x00209161, "UI"),
  inConcatenationNumber: of(0x00209162, "US"),
  planePosition: of(0x00209113, "SQ"),
  planeOrientation: of(0x00209116, "SQ"),
  viewCode: of(0x00540220, "SQ"),
  samplesPerPixel: of(0x00280002, "US"),
  photometric: of(0x00280004, "CS"),
  planarConfiguration: of(0x00280006, "US"),
  numberOfFrames: of(0x00280008, "IS"),
  rows: of(0x00280010, "US"),
  columns: of(0x00280011, "US"),
  pixelSpacing: of(0x00280030, "DS"),
  pixelAspectRatio: of(0x00280034, "IS"),
  bitsAllocated: of(0x00280100, "US"),
  bitsStored: of(0x00280101, "US"),
  highBit: of(0x00280102, "US"),
  pixelRepresentation: of(0x00280103, "US"),
  pixelPadding: of(0x00280120, "US"),
  pixelPaddingLimit: of(0x00280121, "US"),
  floatPadding: of(0x00280122, "FL"),
  doublePadding: of(0x00280123, "FD"),
  floatPaddingLimit: of(0x00280124, "FL"),
  doublePaddingLimit: of(0x00280125, "FD"),
  calibrationType: of(0x00280a02, "CS"),
  windowCenter: of(0x00281050, "DS"),
  windowWidth: of(0x00281051, "DS"),
  rescaleIntercept: of(0x00281052, "DS"),
  rescaleSlope: of(0x00281053, "DS"),
  rescaleType: of(0x00281054, "LO"),
  windowExplanation: of(0x00281055, "LO"),
  voiFunction: of(0x00281056, "CS"),
  redDescriptor: of(0x00281101, "US"),
  greenDescriptor: of(0x00281102, "US"),
  blueDescriptor: of(0x00281103, "US"),
  redData: of(0x00281201, "OW"),
  greenData: of(0x00281202, "OW"),
  blueData: of(0x00281203, "OW"),
  redSegments: of(0x00281221, "OW"),
  greenSegments: of(0x00281222, "OW"),
  blueSegments: of(0x00281223, "OW"),
  modalityLut: of(0x00283000, "SQ"),
  lutDescriptor: of(0x00283002, "US"),
  lutExplanation: of(0x00283003, "LO"),
  modalityLutType: of(0x00283004, "LO"),
  lutData: of(0x00283006, "OW"),
  voiLut: of(0x00283010, "SQ"),
  pixelMeasures: of(0x00289110, "SQ"),
  frameVoi: of(0x00289132, "SQ"),
  pixelTransformation: of(0x00289145, "SQ"),
  presentationLutShape: of(0x20500020, "CS"),
  sharedGroups: of(0x52009229, "SQ"),
  perFrameGroups: of(0x52009230, "SQ"),
  extendedOffsets: of(0x7fe00001, "OV"),
  extendedLengths: of(0x7fe00002, "OV"),
} as const satisfies Record<string, Tag>;

/** Float, Double Float and Pixel Data (PS3.3 C.7.6.24, C.7.6.25, C.7.6.3). */
export const pixelTags = { float: 0x7fe00008, double: 0x7fe00009, integer: 0x7fe00010 } as const;

export const itemTag = 0xfffee000;
export const itemEndTag = 0xfffee00d;
export const sequenceEndTag = 0xfffee0dd;

/** "(0010,0020)" */
export function tagText(tag: number): string {
  const hex = tag.toString(16).toUpperCase().padStart(8, "0");
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}
