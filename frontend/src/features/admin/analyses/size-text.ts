/** Sizes of files in words. */
const MIB = 1024 * 1024;

export function sizeText(bytes: number): string {
  return bytes < MIB ? `${Math.max(1, Math.round(bytes / 1024))} KiB` : `${(bytes / MIB).toFixed(1)} MiB`;
}
