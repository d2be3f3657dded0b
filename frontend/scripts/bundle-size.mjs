/** Compressed bytes that a page needs, from Vite's manifest: the entry, its route and all they import at once. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const pages = {
  "sign-in": "src/app/routes/sign-in.tsx",
  account: "src/app/routes/account.tsx",
  home: "src/app/routes/home.tsx",
  reading: "src/app/routes/read.tsx",
  trials: "src/app/routes/trials.tsx",
  trial: "src/app/routes/trial.tsx",
};

function filesOf(key, files = new Set()) {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return files;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) filesOf(next, files);
  return files;
}

for (const [page, route] of Object.entries(pages)) {
  const files = filesOf(route, filesOf("index.html"));
  let bytes = 0;
  for (const file of files) bytes += gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
  console.log(`${page.padEnd(10)} ${(bytes / 1024).toFixed(1).padStart(7)} KiB gz in ${files.size} files`);
}
