import { read } from "@gateline/api-client";
import { Badge, ButtonLink, Command, List, Time } from "@gateline/ui";
import { useSearch } from "@tanstack/react-router";
import { FlagsHead } from "./section-head";
import type { Flag } from "../flags/model";
import { useEnvironments } from "../flags/queries";
import { Tags } from "../flags/tags";
import { staleness } from "../flags/use";
import { glance, types } from "../flags/words";

type Order = "-created_at" | "created_at" | "name" | "-name";

/** All feature flags, with their state in each environment. */
export default function Flags() {
  const environments = useEnvironments();
  const search = useSearch({ strict: false }) as { tag?: string; owner?: string };
  const names = (environments.data?.data ?? []).map((each) => each.name);
  const create = (
    <ButtonLink to="/flags/new" kind="primary">
      Create a feature flag
    </ButtonLink>
  );
  return (
    <>
      <FlagsHead
        text="Switches whose state differs from one user to the next. Programs ask for them with an SDK key, and a change is in force within a second."
        actions={create}
      />
      <List<Flag>
        label="Feature flags"
        load={({ q, cursor, sort, environment, tag, owner, stale }) =>
          read("/api/v1/feature-flags", {
            params: {
              query: {
                q,
                cursor,
                sort: sort as Order | undefined,
                "filter[environment]": environment,
                "filter[tag]": tag,
                "filter[owner]": owner,
                "filter[stale]": stale === "true" ? "true" : undefined,
              },
            },
          })
        }
        searchable
        filters={[
          { name: "environment", title: "Environment", options: names.map((name) => [name, name]) },
          { name: "stale", title: "Use", options: [["true", "Nobody may need it"]] },
          // Which tags and owners there are is not asked for: links lead here.
          ...(["tag", "owner"] as const).flatMap((name) => {
            const value = search[name];
            return value === undefined ? [] : [{ name, title: name === "tag" ? "Tag" : "Owner", options: [[value, value] as [string, string]] }];
          }),
        ]}
        orders={[
          ["-created_at", "Newest first"],
          ["created_at", "Oldest first"],
          ["name", "By key"],
          ["-name", "By key, falling"],
        ]}
        to={(flag) => `/flags/${flag.id}`}
        columns={[
          { title: "Key", wide: true, cell: (flag) => <code>{flag.key}</code> },
          { title: "Title", wide: true, minor: true, cell: (flag) => <Title of={flag} /> },
          { title: "Type", minor: true, cell: (flag) => types[flag.type] },
          ...names.map((name) => ({ title: name, cell: (flag: Flag) => <Glance flag={flag} environment={name} /> })),
          { title: "Changed", minor: true, cell: (flag) => <Time at={flag.updated_at} /> },
        ]}
        empty={{
          title: "Make the first feature flag",
          text: (
            <>
              <p>Ship what is not finished, switched off. Then turn it on for testers, for a tenth of all users, for everybody; and off again within a second.</p>
              <Command text="gateline flags create new-checkout --environment production --on 10%" />
            </>
          ),
          action: create,
        }}
      />
    </>
  );
}

/** The title, why nobody may need it any more, and the tags. */
const Title = ({ of: flag }: { of: Flag }) => (
  <>
    {flag.title || (flag.tags.length === 0 && !flag.stale && <span className="text-ink-2">–</span>)}
    {flag.stale && (
      <span className="ml-2" title={staleness[flag.stale][1]}>
        <Badge tone="warn">{staleness[flag.stale][0]}</Badge>
      </span>
    )}
    <Tags of={flag.tags} />
  </>
);

function Glance({ flag, environment }: { flag: Flag; environment: string }) {
  const targeting = flag.environments[environment];
  if (!targeting) return <span className="text-ink-2">–</span>;
  const { text, tone } = glance(targeting);
  return <Badge tone={tone}>{text}</Badge>;
}
