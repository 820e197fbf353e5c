/** What leads from one definition to others: never back to itself, and not to too many. */

/** How often other flags are asked for one, and other segments for one. */
const ASKED_MAX = 256;

/** Where each leads to, each time that it does. */
export type Ways = ReadonlyMap<string, readonly string[]>;

/** What is wrong with where something leads to, and with which of its ways. */
export type Circle = readonly [code: string, detail: string, way: number];

/** Says which lead back to themselves, or to more than may be asked on the way. */
export function findCircles(ways: Ways): Map<string, Circle> {
  const circular = new Map<string, Circle>();
  for (const [key, to] of ways) {
    const way = wayBack(key, to, ways);
    if (way >= 0) {
      circular.set(key, ["circular", "It leads back to itself, by itself or through others.", way]);
    }
  }
  if (circular.size > 0) {
    return circular;
  }
  const detail = `It leads to others more than ${ASKED_MAX} times, by itself and through them.`;
  return new Map([...ways.keys()].filter((key) => !isNear(key, ways)).map((key) => [key, ["too_deep", detail, 0]]));
}

/** Says the first of the ways that leads back; -1 if none does. */
function wayBack(key: string, to: readonly string[], ways: Ways): number {
  // What one way has led to need not be looked at by the next: it does not lead back.
  const seen = new Set<string>();
  return to.findIndex((first) => {
    const waiting = [first];
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
  });
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
