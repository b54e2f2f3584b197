// What was dropped or chosen, as files with paths: folders are walked.
import type { Named } from "./tar";

const wait = <T,>(ask: (ok: (value: T) => void, fail: (e: unknown) => void) => void) => new Promise<T>(ask);

async function walk(entry: FileSystemEntry, into: Named[]): Promise<void> {
  if (entry.isFile) {
    const file = await wait<File>((ok, fail) => (entry as FileSystemFileEntry).file(ok, fail));
    into.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) { // a reader gives 100 at a time
    const some = await wait<FileSystemEntry[]>((ok, fail) => reader.readEntries(ok, fail));
    if (!some.length) return;
    for (const one of some) await walk(one, into);
  }
}

export async function dropped(data: DataTransfer): Promise<Named[]> {
  const entries = Array.from(data.items).map((item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  const files: Named[] = [];
  for (const entry of entries) await walk(entry, files);
  return visible(files);
}

export function chosen(list: FileList | null): Named[] {
  return visible(Array.from(list ?? []).map((file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/** Without what systems leave in folders. */
function visible(files: Named[]): Named[] {
  return files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX" || part === "Thumbs.db"));
}

const archive = /\.(zip|tar|tgz|txz|tzst|tar\.(gz|xz|zst|bz2))$/i;
export const isArchive = (name: string) => archive.test(name);

export function datasetName(files: Named[]): string {
  const [first] = files;
  if (!first) return "";
  const folder = first.path.includes("/") ? first.path.split("/")[0] : undefined;
  if (!folder && files.length > 1) return `pictures ${new Date().toISOString().slice(0, 10)}`;
  return (folder ?? first.path.replace(archive, "").replace(/\.[^.]+$/, "")).slice(0, 100);
}
