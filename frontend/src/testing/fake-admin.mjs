export function adminAnswer() {
  return null;
}
