// Writes a .br and a .gz beside every text file of dist/, and removes what an older build left.
// The program embeds all three, so nothing is compressed while it serves.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompress, constants, gzip } from "node:zlib";
import { promisify } from "node:util";

const dist = join(import.meta.dirname, "../dist");
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));

const current = new Set(["favicon.svg", "console/index.html", "portal/index.html", "reference/index.html"]);
for (const chunk of Object.values(manifest)) {
  for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) current.add(file);
}

const squeezes = [
  [".br", promisify(brotliCompress), { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }],
  [".gz", promisify(gzip), { level: 9 }],
];
await Promise.all(
  readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(dist, path);
      if (name.startsWith(".")) return;
      if (!current.has(name)) return rmSync(path);
      if (!/\.(html|js|css|svg)$/.test(name)) return;
      const bytes = readFileSync(path);
      for (const [extension, squeeze, options] of squeezes) {
        const small = await squeeze(bytes, options);
        if (small.length < bytes.length) writeFileSync(path + extension, small);
      }
    }),
);
