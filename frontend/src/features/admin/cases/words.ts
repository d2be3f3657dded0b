/** Words of a line, in capitals, whatever stands between them. */
export function wordsOf(line: string): string[] {
  return line
    .toUpperCase()
    .split(/[\s,;]+/)
    .filter((word) => word !== "");
}
