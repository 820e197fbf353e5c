/** Whose SDKs are not given a flag, because they would give somebody another variant than the server. */
import { type Schemas, read } from "@gateline/api-client";
import { Said } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { Flag } from "./model";

const names: Record<Schemas["FlagProtocol"], string> = { unleash: "Unleash", growthbook: "GrowthBook", flagd: "flagd" };

/** Names the products, and why; nothing if all of them are given the flag. */
export function LeftOut({ flag, environment }: { flag: Flag; environment: string }) {
  const asked = read("/api/v1/feature-flags/exports", { params: { query: { environment, flag: flag.key } } });
  // It is another answer when the flag is another one.
  const found = useQuery({ ...asked, queryKey: [...asked.queryKey, flag.revision] });
  const leftOut = found.data?.left_out ?? [];
  if (leftOut.length === 0) return null;
  return (
    <details className="mt-4 text-sm text-ink-2">
      <summary className="cursor-pointer">Not given to SDKs of {leftOut.map((each) => names[each.protocol]).join(", ")}</summary>
      <p className="mt-2">Evaluating by themselves, they would give somebody another variant. What asks this server gets the flag all the same.</p>
      <ul className="mt-2 list-disc pl-5">
        {leftOut.map((each) => (
          <li key={each.protocol}>
            {names[each.protocol]}: <Said text={`${each.detail} (\`${each.pointer}\`)`} />
          </li>
        ))}
      </ul>
    </details>
  );
}
