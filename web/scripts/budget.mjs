// Fails when the first load of a page is larger than promised: the page and the scripts and styles that it needs before
// it shows anything, as gzip sends them. The font is told, not counted: text is shown without waiting for it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const budgets = { console: 250, portal: 150 };
const dist = join(import.meta.dirname, "../dist");
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
const size = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;

/** Files that the chunk needs before it runs. */
function needed(key, seen = new Set()) {
  if (seen.has(key)) return [];
  seen.add(key);
  const chunk = manifest[key];
  return [chunk.file, ...(chunk.css ?? []), ...(chunk.imports ?? []).flatMap((other) => needed(other, seen))];
}

let over = false;
for (const [page, budget] of Object.entries(budgets)) {
  const files = new Set([`${page}/index.html`, ...needed(`${page}/index.html`)]);
  const bytes = [...files].reduce((sum, file) => sum + size(file), 0);
  const kilobytes = (bytes / 1000).toFixed(1);
  const verdict = bytes > budget * 1000 ? "OVER BUDGET" : "ok";
  console.log(`${page}: first load ${kilobytes} kB gzip in ${files.size} files (budget ${budget} kB): ${verdict}`);
  over ||= bytes > budget * 1000;
}
const font = Object.values(manifest).map((chunk) => chunk.file).find((file) => /geist-latin-wght-normal.*woff2$/.test(file));
if (font) console.log(`font of the text: ${(readFileSync(join(dist, font)).length / 1000).toFixed(1)} kB`);
if (over) {
  console.error("Load what the first page does not need with import(), or argue for a larger budget in web/README.md.");
  process.exit(1);
}
