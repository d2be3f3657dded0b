export default function TrialsRoute() {
  return null;
}
