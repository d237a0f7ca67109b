/** One file to import, with the name it has below the folder that was chosen or dropped. */
export interface FileToImport {
  readonly name: string;
  readonly file: File;
}

/** What a browser's file dialog gave: with a folder chosen each file knows its path below it. */
export function chosenFiles(list: FileList): readonly FileToImport[] {
  return [...list].map((file) => ({ name: file.webkitRelativePath || file.name, file }));
}

/**
 * Everything that was dropped, folders with all they hold. The transfer is emptied when the event handler returns, so
 * its entries are taken before anything is awaited.
 */
export async function droppedFiles(transfer: DataTransfer): Promise<readonly FileToImport[]> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry): entry is FileSystemEntry => entry !== null);
  if (entries.length === 0) return chosenFiles(transfer.files);
  const found: FileToImport[] = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

async function collect(entry: FileSystemEntry, into: FileToImport[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    into.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader hands out at most 100 entries a call, and none at the end.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return;
    for (const child of part) await collect(child, into);
  }
}
