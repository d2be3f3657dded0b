/** Sizes of files in words. */
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export function sizeText(bytes: number): string {
  if (bytes < MIB) return `${Math.max(1, Math.round(bytes / KIB))} KiB`;
  return bytes < GIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${(bytes / GIB).toFixed(2)} GiB`;
}
