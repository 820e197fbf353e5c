/** The reference of Gateline's own API, at /api/docs. */
import { readText } from "@gateline/api-client";
import { loadReference } from "@gateline/ui/load-reference.ts";
import "@gateline/ui/styles.css";
import { ProblemNote } from "@gateline/ui/problem.tsx";
import { createRoot } from "react-dom/client";

const element = document.querySelector("#root");
if (!element) throw new Error("the page has an element #root");
const root = createRoot(element);
try {
  const { default: Reference } = await loadReference();
  const content = JSON.parse(await readText("/api/v1/openapi.json", "application/json")) as Record<string, unknown>;
  root.render(
    <main className="px-6">
      <Reference document={{ ...content, servers: [{ url: location.origin }] }} />
    </main>,
  );
} catch (error) {
  root.render(
    <main className="mx-auto max-w-2xl p-8">
      <ProblemNote error={error as Error} />
    </main>,
  );
}
