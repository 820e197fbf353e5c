/** Ready-made calls of an API in the languages people start with. */

/** One call with a key. */
export interface Call {
  method: string;
  url: string;
  key: string;
  /** The header that carries the key. */
  header?: string;
}

/** The languages that [`snippet`] writes. */
export const languages = ["curl", "JavaScript", "Python"] as const;

/** One of them. */
export type Language = (typeof languages)[number];

const quoted = (text: string) => JSON.stringify(text);
const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A program that makes the call and prints the answer. */
export function snippet(language: Language, call: Call): string {
  const header = call.header ?? "X-API-Key";
  switch (language) {
    case "curl": {
      const method = call.method === "GET" ? "" : `-X ${call.method} `;
      return `curl -i ${method}${shell(call.url)} \\\n  -H ${shell(`${header}: ${call.key}`)}`;
    }
    case "JavaScript":
      return [
        `const response = await fetch(${quoted(call.url)}, {`,
        ...(call.method === "GET" ? [] : [`  method: ${quoted(call.method)},`]),
        `  headers: { ${quoted(header)}: ${quoted(call.key)} },`,
        `});`,
        `console.log(response.status, await response.text());`,
      ].join("\n");
    case "Python":
      return [
        `import urllib.request`,
        ``,
        `request = urllib.request.Request(`,
        `    ${quoted(call.url)},`,
        ...(call.method === "GET" ? [] : [`    method=${quoted(call.method)},`]),
        `    headers={${quoted(header)}: ${quoted(call.key)}},`,
        `)`,
        `with urllib.request.urlopen(request) as response:`,
        `    print(response.status, response.read().decode())`,
      ].join("\n");
  }
}
