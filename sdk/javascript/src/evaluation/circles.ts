/** What leads from one definition to others: never back to itself, and not to too many. */

/** How often other flags are asked for one, and other segments for one. */
const ASKED_MAX = 256;

/** Where each leads to, each time that it does. */
export type Ways = ReadonlyMap<string, readonly string[]>;

/** Says which lead back to themselves, or to more than may be asked on the way, with code and detail. */
export function findCircles(ways: Ways): Map<string, readonly [code: string, detail: string]> {
  const keys = [...ways.keys()];
  const circular = keys.filter((key) => leadsBack(key, ways));
  if (circular.length > 0) {
    return new Map(circular.map((key) => [key, ["circular", "It leads back to itself, by itself or through others."]]));
  }
  const detail = `It leads to others more than ${ASKED_MAX} times, by itself and through them.`;
  return new Map(keys.filter((key) => !isNear(key, ways)).map((key) => [key, ["too_deep", detail]]));
}

function leadsBack(key: string, ways: Ways): boolean {
  const seen = new Set<string>();
  const waiting = [...(ways.get(key) ?? [])];
  for (let found = waiting.pop(); found !== undefined; found = waiting.pop()) {
    if (found === key) {
      return true;
    }
    if (!seen.has(found)) {
      seen.add(found);
      waiting.push(...(ways.get(found) ?? []));
    }
  }
  return false;
}

function isNear(key: string, ways: Ways): boolean {
  const waiting = [...(ways.get(key) ?? [])];
  for (let asked = 0; asked <= ASKED_MAX; asked++) {
    const found = waiting.pop();
    if (found === undefined) {
      return true;
    }
    waiting.push(...(ways.get(found) ?? []));
  }
  return false;
}
