import { type Schemas, read } from "@gateline/api-client";
import { Command, List, type ListSearch, Loaded, Said, Table, count } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FlagsHead } from "./section-head";
import { protocols } from "../flags/left-out";
import { pageOf } from "../flags/page-of";
import { useEnvironments } from "../flags/queries";

type LeftOut = Schemas["FlagLeftOut"];
type Protocol = Schemas["FlagProtocol"];

/** The most that is asked for at once. */
const ASKED = 10_000;

const PROTOCOLS = Object.entries(protocols) as [Protocol, string][];

/** What is left out, as far as the address narrows it on the server. */
const asked = ({ environment, protocol }: ListSearch) =>
  read("/api/v1/feature-flags/exports", { params: { query: { limit: ASKED, ...(environment && { environment }), ...(protocol && { protocol: protocol as Protocol }) } } });

/** The flags that SDKs of other products are not given, and why. */
export default function FlagsLeftOut() {
  const queries = useQueryClient();
  const environments = useEnvironments();
  const names = (environments.data?.data ?? []).map((each) => each.name);
  return (
    <>
      <FlagsHead text="SDKs of Unleash, GrowthBook and flagd that evaluate by themselves are not given a flag of which they would give somebody another variant. What asks this server gets every flag." />
      <Counts />
      <List<LeftOut & { id: string }>
        label="Flags that are left out"
        load={(search) => ({
          queryKey: ["page", ...asked(search).queryKey, search["q"], search["cursor"]],
          queryFn: async () => {
            const { left_out } = await queries.fetchQuery({ ...asked(search), staleTime: 2000 });
            const q = (search["q"] ?? "").toLowerCase();
            const rows = left_out.filter(({ flag }) => flag.toLowerCase().includes(q));
            return pageOf(
              rows.map((row) => ({ ...row, id: `${row.flag} ${row.environment} ${row.protocol} ${row.pointer}` })),
              search["cursor"],
            );
          },
        })}
        searchable
        filters={[
          { name: "environment", title: "Environment", options: names.map((name) => [name, name]) },
          { name: "protocol", title: "Left out for", options: PROTOCOLS },
        ]}
        to={(row) => `/flags/${row.flag_id}/in/${row.environment}`}
        columns={[
          { title: "Flag", wide: true, cell: (row) => <code>{row.flag}</code> },
          { title: "Environment", cell: (row) => row.environment },
          { title: "Left out for", cell: (row) => protocols[row.protocol] },
          { title: "Why", wide: true, cell: (row) => <Said text={row.detail} /> },
          { title: "Where", wide: true, minor: true, cell: (row) => <code className="text-sm break-all">{row.pointer}</code> },
        ]}
        empty={{
          title: "Nothing is left out",
          text: (
            <>
              <p>Every flag can be said in the words of Unleash, GrowthBook and flagd: their SDKs give everybody the variant that this server gives. In a terminal:</p>
              <Command text="gateline flags left-out" />
            </>
          ),
        }}
      />
    </>
  );
}

/** How many flags are left out where. */
function Counts() {
  const query = useQuery(read("/api/v1/feature-flags/exports", { params: { query: { limit: 0 } } }));
  return (
    <Loaded query={query} rows={2}>
      {({ counts }) => {
        const names = [...new Set(counts.map((each) => each.environment))];
        if (names.length === 0) return null;
        const of = (environment: string, protocol: Protocol) => counts.find((each) => each.environment === environment && each.protocol === protocol)?.flags ?? 0;
        return (
          <div className="mb-6">
            <Table
              label="How many are left out"
              rows={names.map((id) => ({ id }))}
              columns={[
                { title: "Environment", cell: ({ id }) => id },
                ...PROTOCOLS.map(([protocol, title]) => ({
                  title,
                  numeric: true,
                  cell: ({ id }: { id: string }) =>
                    of(id, protocol) === 0 ? (
                      <span className="text-ink-2">0</span>
                    ) : (
                      <Link to="/flags/left-out" search={{ environment: id, protocol } as never} className="link" aria-label={`${count(of(id, protocol))} for ${title} in ${id}`}>
                        {count(of(id, protocol))}
                      </Link>
                    ),
                })),
              ]}
            />
            {counts.reduce((sum, each) => sum + each.flags, 0) > ASKED && (
              <p className="mt-2 text-sm text-ink-2">The list below has the first {count(ASKED)}: a number above leads to all of an environment and a product.</p>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}
