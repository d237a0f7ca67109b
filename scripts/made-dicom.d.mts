export function unreadableDicom(): Uint8Array;
export function limbRadiograph(
  jpeg: Uint8Array,
  header: { readonly description: string; readonly patient: string; readonly bodyPart: string },
): Uint8Array;
