/** What is kept for a start without the server. */

import { murmur32 } from "./evaluation/bucketing.js";

/** Keeps one text. */
export interface Cache {
  /** Says what was kept last, if anything. */
  read(): string | undefined | Promise<string | undefined>;
  /** Keeps a text in place of what was kept. */
  write(text: string): void | Promise<void>;
}

/** Keeps what came last in the browser, under a name that does not tell the key. */
export function localStorageCache(url: string, key: string): Cache | undefined {
  // Reading it throws where pages may keep nothing.
  const storage = ((): Storage | undefined => {
    try {
      return globalThis.localStorage;
    } catch {
      return undefined;
    }
  })();
  const name = `gateline:${fingerprint(`${url} ${key}`)}`;
  return (
    storage && {
      read: () => storage.getItem(name) ?? undefined,
      write: (text) => storage.setItem(name, text),
    }
  );
}

/** Says a short text that is another one for other texts; it keeps no secret. */
export function fingerprint(text: string): string {
  const bytes = new TextEncoder().encode(text);
  const each = [0, 1, 2, 3].map((seed) => murmur32(bytes, bytes.length, seed).toString(16).padStart(8, "0"));
  return each.join("");
}
