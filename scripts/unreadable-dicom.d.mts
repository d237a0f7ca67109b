export function unreadableDicom(): Uint8Array;
