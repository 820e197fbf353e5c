/** How a program asks for a flag, with everything but the key. */
import { SnippetTabs } from "@gateline/ui";
import { type Flag, type FlagType, offOf, variantsOf } from "./model";

const KEY = "YOUR_SDK_KEY";

/** What OpenFeature's SDKs call the types, in Node and in Python. */
const methods: Record<FlagType, [node: string, python: string]> = {
  boolean: ["getBooleanValue", "get_boolean_value"],
  string: ["getStringValue", "get_string_value"],
  number: ["getNumberValue", "get_float_value"],
  json: ["getObjectValue", "get_object_value"],
};

/** A JSON value as Python writes it. */
export function python(value: unknown): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/** Calls by curl, and the SDKs of OpenFeature; the default is the value of the variant that stands for off. */
export function snippetsOf(flag: Pick<Flag, "key" | "type" | "variants" | "environments">, origin: string): [language: string, text: string][] {
  const fallback = variantsOf(flag)[offOf(flag)] ?? (flag.type === "json" ? {} : null);
  const key = JSON.stringify(flag.key);
  const [node, py] = methods[flag.type];
  return [
    ["curl", `curl -H 'X-API-Key: ${KEY}' \\\n  '${origin}/api/v1/feature-flags/${flag.key}/evaluate?user_id=123&country=DE'`],
    [
      "OpenFeature, Node",
      `// npm install @openfeature/server-sdk @openfeature/ofrep-provider
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const provider = new OFREPProvider({ baseUrl: ${JSON.stringify(origin)}, headers: [["X-API-Key", "${KEY}"]] });
await OpenFeature.setProviderAndWait(provider);
const value = await OpenFeature.getClient().${node}(${key}, ${JSON.stringify(fallback)}, { targetingKey: "123", country: "DE" });`,
    ],
    [
      "OpenFeature, Python",
      `# pip install openfeature-sdk openfeature-provider-ofrep
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(OFREPProvider(${JSON.stringify(origin)}, headers_factory=lambda: {"X-API-Key": "${KEY}"}))
context = EvaluationContext(targeting_key="123", attributes={"country": "DE"})
value = api.get_client().${py}(${key}, ${python(fallback)}, context)`,
    ],
  ];
}

/** The same in a box. */
export const Snippets = ({ flag }: { flag: Flag }) => <SnippetTabs of={snippetsOf(flag, window.location.origin)} />;
