/** What names a segment: flags by environment, other segments, routes and policies. */
import { type Schemas, read } from "@gateline/api-client";
import { List, Section } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Segment } from "./model";
import { pageOf } from "./page-of";

type Uses = Schemas["SegmentUses"];
type Place = Schemas["SegmentPlace"];

/** One that names it. */
interface Row {
  id: string;
  kind: "Flag" | "Segment" | "Route" | "Policy";
  name: string;
  to: string;
  places: { environment: string; to: string; through: string[] }[];
}

const inFlag = (id: string, { environment, through }: Place) => ({ environment, to: `/flags/${id}/in/${environment}`, through });

function rowsOf({ flags, segments, routes, policies }: Uses): Row[] {
  return [
    ...flags.map(({ id, key, environments }): Row => ({ id, kind: "Flag", name: key, to: `/flags/${id}`, places: environments.map((place) => inFlag(id, place)) })),
    ...segments.map(({ id, key }): Row => ({ id, kind: "Segment", name: key, to: `/segments/${id}`, places: [] })),
    ...routes.map(({ id, api_id, environment }): Row => {
      const to = `/apis/${api_id}/routes/${id}`;
      return { id, kind: "Route", name: id, to, places: [{ environment, to, through: [] }] };
    }),
    ...policies.map(({ id, api_id, kind }): Row => ({ id, kind: "Policy", name: kind, to: `/apis/${api_id}/policies/${id}`, places: [] })),
  ];
}

/** The list of them. */
export function SegmentUses({ segment }: { segment: Segment }) {
  const queries = useQueryClient();
  const asked = read("/api/v1/segments/{id}/uses", { params: { path: { id: segment.id } } });
  return (
    <Section title="What names it" text="A change of the segment is in force there within a second. As long as something names it, it cannot be deleted.">
      <List<Row>
        label="What names it"
        load={({ q, cursor }) => ({
          queryKey: ["page", ...asked.queryKey, q, cursor],
          queryFn: async () => {
            const uses = await queries.fetchQuery({ ...asked, staleTime: 2000 });
            const rows = rowsOf(uses).filter(({ name }) => name.toLowerCase().includes((q ?? "").toLowerCase()));
            return pageOf(rows, cursor);
          },
        })}
        searchable
        to={(row) => row.to}
        columns={[
          { title: "Name", wide: true, cell: (row) => <code>{row.name}</code> },
          { title: "Kind", cell: (row) => row.kind },
          { title: "In", wide: true, cell: (row) => <Places of={row} segment={segment.key} /> },
        ]}
        empty={{
          title: "Nothing names it",
          text: (
            <p>
              A rule of a flag names it as <code>{`{"segment": "${segment.key}"}`}</code>; so do other segments, and the audiences of routes and policies.
            </p>
          ),
        }}
      />
    </Section>
  );
}

function Places({ of: { kind, places }, segment }: { of: Row; segment: string }) {
  if (places.length === 0) return <span className="text-ink-2">{kind === "Segment" ? "every environment where it is named" : "every environment"}</span>;
  return (
    <ul className="flex flex-wrap gap-x-3 gap-y-0.5">
      {places.map(({ environment, to, through }) => {
        const others = through.filter((key) => key !== segment);
        return (
          <li key={environment}>
            <Link to={to} className="link">
              {environment}
            </Link>
            {others.length > 0 && <span className="text-ink-2"> {through.includes(segment) ? "also" : "only"} through {others.join(", ")}</span>}
          </li>
        );
      })}
    </ul>
  );
}
