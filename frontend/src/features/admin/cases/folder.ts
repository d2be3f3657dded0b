/** Files of a folder that was chosen or dropped, each with its path inside that folder. */

export interface FolderFile {
  readonly file: File;
  readonly path: string;
}

export function chosenFiles(list: FileList): FolderFile[] {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

function entryFile(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader gives at most a hundred entries at once; it is asked until it gives none. */
async function entriesOf(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

async function walk(entry: FileSystemEntry, path: string, found: FolderFile[]): Promise<void> {
  const here = path ? `${path}/${entry.name}` : entry.name;
  if (entry.isFile) {
    found.push({ file: await entryFile(entry as FileSystemFileEntry), path: here });
    return;
  }
  for (const child of await entriesOf(entry as FileSystemDirectoryEntry)) await walk(child, here, found);
}

export async function droppedFiles(items: DataTransferItemList): Promise<FolderFile[]> {
  // The list is emptied as soon as the event is over: take the entries out first.
  const entries = [...items].flatMap((item) => {
    const entry = item.webkitGetAsEntry();
    return entry ? [entry] : [];
  });
  const found: FolderFile[] = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

const MIB = 1024 * 1024;
/** The server takes 64 MiB and 500 files in one request; smaller ones make a smoother bar and a cheaper retry. */
export const BATCH_BYTES = 24 * MIB;
export const BATCH_FILES = 200;

/** Files in requests of bounded size, in order. A file larger than the bound goes alone. */
export function batchesOf(files: readonly FolderFile[]): FolderFile[][] {
  const batches: FolderFile[][] = [];
  let batch: FolderFile[] = [];
  let bytes = 0;
  for (const each of files) {
    if (batch.length > 0 && (bytes + each.file.size > BATCH_BYTES || batch.length >= BATCH_FILES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(each);
    bytes += each.file.size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

export const bytesOf = (files: readonly FolderFile[]): number => files.reduce((sum, each) => sum + each.file.size, 0);
