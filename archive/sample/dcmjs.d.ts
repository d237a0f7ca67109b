/** The small part of dcmjs that the sample is written with; the package has no declarations. */
declare module "dcmjs" {
  interface DicomDict {
    dict: unknown;
    write(): ArrayBuffer;
  }
  export const data: {
    DicomDict: new (meta: unknown) => DicomDict;
    DicomMetaDictionary: { denaturalizeDataset(dataset: object): unknown };
  };
}
