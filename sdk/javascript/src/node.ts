/** What Node has and browsers have not: files. */

import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import type { Cache } from "./cache.js";

/** Keeps what the server said last in a file, which is replaced as a whole; definitions are for their owner alone. */
export function fileCache(path: string): Cache {
  let writing: Promise<void> = Promise.resolve();
  const write = async (text: string): Promise<void> => {
    const beside = `${path}.${process.pid}.new`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(beside, text, { mode: 0o600 });
    await rename(beside, path);
  };
  return {
    read: async () => {
      try {
        return await readFile(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") {
          return undefined;
        }
        throw error;
      }
    },
    write: (text) => {
      writing = writing.catch(() => undefined).then(() => write(text));
      return writing;
    },
  };
}

/** Reads a bootstrap: what `GET /api/v1/feature-flags/definitions` answered. Throws if there is no such file of JSON. */
export function readBootstrap(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
