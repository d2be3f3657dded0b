/**
 * A short name in place of one that says who somebody is, for what a shared machine keeps: the same for the same text
 * on every page load. It cannot be read back; whoever has a guess can try it.
 */

/** Start and odd factor of each half. */
const HALVES = [
  [0x811c9dc5, 0x01000193],
  [0x41c6ce57, 0x5f356495],
] as const;

/** 64 bits as 16 hexadecimal digits, each half hashed for itself. `crypto.subtle` answers too late, and not on plain HTTP. */
export function pseudonym(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const half = ([start, factor]: readonly [number, number]): string => {
    let hash = start;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, factor);
    return mixed(hash).toString(16).padStart(8, "0");
  };
  return HALVES.map(half).join("");
}

/** Lets every bit of the hash depend on all others. */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
