/** Where the values of a JSON document stand in its text. */

/** A place in a text; both count from 1. */
export interface Place {
  line: number;
  column: number;
}

/** The offsets of all values of a valid JSON text, by their JSON Pointers (RFC 6901). */
function offsets(text: string): Map<string, number> {
  const found = new Map<string, number>();
  let at = 0;
  const space = () => {
    while (at < text.length && " \t\r\n".includes(text.charAt(at))) at += 1;
  };
  const string = (): string => {
    const begin = at;
    at += 1;
    while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === "\\" ? 2 : 1;
    at += 1;
    return JSON.parse(text.slice(begin, at)) as string;
  };
  const inside = (end: string, each: (place: number) => void) => {
    at += 1;
    space();
    for (let place = 0; at < text.length && text.charAt(at) !== end; place += 1) {
      each(place);
      space();
      if (text.charAt(at) === ",") at += 1;
      space();
    }
    at += 1;
  };
  const value = (pointer: string) => {
    space();
    found.set(pointer, at);
    const first = text.charAt(at);
    if (first === "[") inside("]", (place) => value(`${pointer}/${place}`));
    else if (first === "{") {
      inside("}", () => {
        const name = string().replaceAll("~", "~0").replaceAll("/", "~1");
        space();
        at += 1;
        value(`${pointer}/${name}`);
      });
    } else if (first === '"') string();
    else while (at < text.length && !",]} \t\r\n".includes(text.charAt(at))) at += 1;
  };
  value("");
  return found;
}

const placeAt = (text: string, offset: number): Place => {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
};

/** Where the value at a pointer stands in a valid JSON text, or the nearest one around it. */
export function placeOf(text: string, pointer: string): Place {
  const found = offsets(text);
  let wanted = pointer;
  while (wanted !== "" && !found.has(wanted)) wanted = wanted.slice(0, wanted.lastIndexOf("/"));
  return placeAt(text, found.get(wanted) ?? 0);
}

/** Where a text stops being JSON, as far as the browser says it. */
export function placeOfMistake(message: string, text: string): Place {
  const [, line, column] = /line (\d+) column (\d+)/.exec(message) ?? [];
  if (line && column) return { line: Number(line), column: Number(column) };
  const [, offset] = /position (\d+)/.exec(message) ?? [];
  return placeAt(text, offset ? Number(offset) : text.length);
}
