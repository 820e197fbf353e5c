/** Usage as people read it: figures, bars per hour, tables by what was called and who called. */
import { type Schemas, client, done } from "@gateline/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { CallsChart, Figures } from "./chart";
import { bytes, count, duration, share } from "./format";
import { type Column, Table } from "./list";
import { Empty, Loaded, Section } from "./page";
import { type Counts, bars, grouped, since, total } from "./usage";

type Row = Schemas["UsageRow"];
type Group = Counts & { id: string; rows: Row[] };

/** Which calls are asked for. */
export interface UsageFilter {
  api?: string;
  application?: string;
}

const PAGES_MAX = 20;

/** All rows of the last hours, summed per group (`hour`, `operation`, `api,application`…). */
async function rowsOf(filter: UsageFilter, hours: number, group: string, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = { "filter[api]": filter.api, "filter[application]": filter.application, from: since(hours), group, limit: 200, cursor };
    const answer = done(await client.GET("/api/v1/usage", { params: { query }, signal }));
    rows.push(...answer.data);
    cursor = answer.next_cursor ?? undefined;
    if (!answer.has_more) break;
  }
  return rows;
}

/** The rows, asked for again so often that a call shows within two seconds. */
export function useUsage(filter: UsageFilter, hours: number, group: string) {
  return useQuery({
    queryKey: ["/api/v1/usage", filter, hours, group],
    queryFn: ({ signal }) => rowsOf(filter, hours, group, signal),
    refetchInterval: 1500,
  });
}

/** The figures and the chart of the calls in the last hours. */
export function UsageChart(props: { filter: UsageFilter; hours: number; title: string; text: string }) {
  const query = useUsage(props.filter, props.hours, "hour");
  return (
    <Loaded query={query} rows={6}>
      {(rows) => {
        const sum = total(rows);
        return (
          <>
            <Figures
              of={[
                ["Calls", count(sum.calls), `last ${props.hours} hours`],
                ["Refused", share(sum.refused, sum.calls), `${count(sum.refused)} by key, limit or quota`],
                ["Failed", share(sum.server_errors, sum.calls), `${count(sum.server_errors)} answers of 5xx`],
                ["Mean time", sum.calls > 0 ? duration(sum.latency_us / sum.calls) : "–", "request in to answer out"],
              ]}
            />
            <div className="mt-6">
              <CallsChart bars={bars(rows, props.hours)} title={props.title} text={props.text} />
            </div>
          </>
        );
      }}
    </Loaded>
  );
}

/** A table of the calls in the last hours, one row per group. */
export function UsageTable(props: {
  filter: UsageFilter;
  hours: number;
  title: string;
  /** What the API sums by. */
  group: string;
  column: string;
  /** What a row is counted under. */
  by: (row: Row) => string;
  name: (group: Group) => ReactNode;
  empty: ReactNode;
}) {
  const query = useUsage(props.filter, props.hours, props.group);
  return (
    <Section title={props.title}>
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No call in this time">{props.empty}</Empty>
          ) : (
            <Table<Group>
              label={props.title}
              rows={grouped(rows, props.by)}
              columns={[{ title: props.column, cell: props.name }, ...countColumns]}
            />
          )
        }
      </Loaded>
    </Section>
  );
}

const countColumns: Column<Group>[] = [
  { title: "Calls", numeric: true, cell: (group) => count(group.calls) },
  { title: "Refused", numeric: true, cell: (group) => count(group.refused) },
  { title: "4xx", numeric: true, cell: (group) => count(group.client_errors) },
  { title: "5xx", numeric: true, cell: (group) => count(group.server_errors) },
  { title: "Mean time", numeric: true, cell: (group) => (group.calls > 0 ? duration(group.latency_us / group.calls) : "–") },
  { title: "Sent", numeric: true, minor: true, cell: (group) => bytes(group.bytes_out) },
];

/** Who called, of a group by application. */
export const callerOf = (group: Group): string => group.rows[0]?.application || group.id || "(no valid key)";

/** The table by operation. */
export function OperationsTable(props: { filter: UsageFilter; hours: number; empty: ReactNode }) {
  return (
    <UsageTable
      {...props}
      title="By operation"
      group="operation"
      column="Operation"
      by={(row) => row.operation || "(no operation matched)"}
      name={(group) => <code>{group.id}</code>}
    />
  );
}
