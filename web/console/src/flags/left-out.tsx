/** Whose SDKs are not given a flag, because they would give somebody another variant than the server. */
import { type Schemas, read } from "@gateline/api-client";
import { Said, plural } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import type { Flag } from "./model";

/** The products. */
export const protocols: Record<Schemas["FlagProtocol"], string> = { unleash: "Unleash", growthbook: "GrowthBook", flagd: "flagd" };

/** Names the products, and why; nothing if all of them are given the flag. */
export function LeftOut({ flag, environment }: { flag: Flag; environment: string }) {
  const asked = read("/api/v1/feature-flags/exports", { params: { query: { environment, flag: flag.key } } });
  // It is another answer when the flag is another one.
  const found = useQuery({ ...asked, queryKey: [...asked.queryKey, flag.revision] });
  const leftOut = found.data?.left_out ?? [];
  if (leftOut.length === 0) return null;
  return (
    <details className="mt-4 text-sm text-ink-2">
      <summary className="cursor-pointer">Not given to SDKs of {leftOut.map((each) => protocols[each.protocol]).join(", ")}</summary>
      <p className="mt-2">Evaluating by themselves, they would give somebody another variant. What asks this server gets the flag all the same.</p>
      <ul className="mt-2 list-disc pl-5">
        {leftOut.map((each) => (
          <li key={each.protocol}>
            {protocols[each.protocol]}: <Said text={`${each.detail} (\`${each.pointer}\`)`} />
          </li>
        ))}
      </ul>
      <p className="mt-2">
        <Link to="/flags/left-out" search={{ environment } as never} className="link">
          All that is left out in {environment}
        </Link>
      </p>
    </details>
  );
}

type Counts = Schemas["FlagLeftOutCount"][];

/** `Unleash 3 flags, flagd 1 flag`, of one environment. */
export const countsInWords = (counts: Counts): string => counts.map(({ protocol, flags }) => `${protocols[protocol]} ${plural(flags, "flag")}`).join(", ");

/** Says where keys are that not all flags are given to SDKs of other products, and leads to which. */
export function LeftOutHint({ environment }: { environment?: string | undefined }) {
  const query = { limit: 0, ...(environment && { environment }) };
  const found = useQuery(read("/api/v1/feature-flags/exports", { params: { query } }));
  const counts = found.data?.counts ?? [];
  if (counts.length === 0) return null;
  const names = [...new Set(counts.map((each) => each.environment))];
  return (
    <p role="note" className="mb-4 rounded-md bg-warn-soft px-3 py-2 text-warn">
      SDKs of other products that evaluate by themselves are not given all flags:{" "}
      {names.map((name, place) => (
        <Fragment key={name}>
          {place > 0 && "; "}
          <Link to="/flags/left-out" search={{ environment: name } as never} className="underline">
            in {name}
          </Link>{" "}
          {countsInWords(counts.filter((each) => each.environment === name))}
        </Fragment>
      ))}
      .
    </p>
  );
}
