import { type Schemas, client, done } from "@gateline/api-client";
import {
  type AnalyticsAnswer,
  type AnalyticsRow,
  CallsChart,
  CodeLink,
  type Column,
  Command,
  Empty,
  Figures,
  LineChart,
  Loaded,
  type Measure,
  PageHeader,
  Section,
  type SpanName,
  Table,
  beginsOf,
  byTime,
  change,
  count,
  duration,
  isSpan,
  share,
  spans,
  timeOf,
  valueOf,
  zone,
} from "@gateline/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { CallsFilter } from "../calls-filter";

type Query = Schemas["AnalyticsQuery"];
type Asked = Pick<Query, "measures"> & Partial<Pick<Query, "dimensions" | "filters" | "compare" | "top">>;

/** How many groups a table tells one by one. */
const GROUPS = 10;

/** Asks, and again so often that the newest calls show. */
function useAnswer(name: SpanName, filters: Query["filters"], asked: Asked, isDivided = false) {
  const span = spans[name];
  return useQuery({
    queryKey: ["/api/v1/analytics/query", name, filters, asked, isDivided],
    queryFn: async ({ signal }): Promise<AnalyticsAnswer> => {
      const granularity = isDivided ? span.granularity : undefined;
      const body: Query = {
        dimensions: [],
        compare: false,
        ...asked,
        ...timeOf(span),
        filters: [...(filters ?? []), ...(asked.filters ?? [])],
        time_zone: zone(),
        ...(granularity && { granularity }),
      };
      return done(await client.POST("/api/v1/analytics/query", { body, signal }));
    },
    placeholderData: keepPreviousData,
    refetchInterval: span.granularity === "day" ? 30_000 : 2000,
  });
}

/** What happened to the calls of what the organization offers and uses, and why. */
export default function Analytics() {
  const search = useSearch({ strict: false }) as { api?: string; application?: string; time?: string };
  const name = isSpan(search.time) ? search.time : "day";
  const filters: Query["filters"] = [
    ...(search.api ? [{ dimension: "api" as const, values: [search.api], exclude: false }] : []),
    ...(search.application ? [{ dimension: "application" as const, values: [search.application], exclude: false }] : []),
  ];
  return (
    <>
      <PageHeader
        title="Analytics"
        text="Traffic, latency and errors, compared with the time just before."
        actions={<CallsFilter time={{ name: "time", value: name, options: Object.entries(spans).map(([id, span]) => [id, span.title]) }} />}
      />
      <Sums name={name} filters={filters} />
      <Course name={name} filters={filters} />
      <Errors name={name} filters={filters} />
      <Groups
        name={name}
        filters={filters}
        dimension="operation"
        title="By operation"
        column="Operation"
        nameOf={(id, names) => <code>{names[id] ?? (id || "(no operation matched)")}</code>}
      />
      <Groups
        name={name}
        filters={filters}
        dimension="application"
        title="By application"
        column="Application"
        nameOf={(id, names) => (id ? (names[id] ?? id) : "(no valid key)")}
      />
      {!search.application && (
        <Groups
          name={name}
          // Only calls that were sent somewhere: an organization that offers nothing has none.
          filters={[...filters, { dimension: "target", values: [""], exclude: true }]}
          dimension="target"
          title="By target"
          column="Target"
          nameOf={(id, names) => <code>{names[id] ?? id}</code>}
          isHiddenWithout
        />
      )}
      {!search.api && (
        <Groups
          name={name}
          filters={filters}
          dimension="api"
          title="By API"
          column="API"
          nameOf={(id, names) => (
            <Link to={`/apis/${id}`} className="link">
              {names[id] ?? id}
            </Link>
          )}
        />
      )}
    </>
  );
}

interface Part {
  name: SpanName;
  filters: Query["filters"];
}

/** The change of a measure since the time before, as a note below its figure. */
function noteOf(row: AnalyticsRow | undefined, measure: Measure): string {
  const changed = change(valueOf(row, measure), row?.previous?.[measure]);
  return changed ? `${changed} since the time before` : "none in the time before";
}

/** The figures of the whole time. */
function Sums({ name, filters }: Part) {
  const query = useAnswer(name, filters, { measures: ["calls", "error_rate", "latency_p95_us", "applications"], compare: true });
  return (
    <Loaded query={query} rows={2}>
      {({ rows: [row] }) => {
        const calls = valueOf(row, "calls");
        return (
          <Figures
            of={[
              ["Calls", count(calls), noteOf(row, "calls")],
              ["Failed", share(valueOf(row, "error_rate"), calls > 0 ? 1 : 0), noteOf(row, "error_rate")],
              ["95 % within", calls > 0 ? duration(valueOf(row, "latency_p95_us")) : "–", noteOf(row, "latency_p95_us")],
              ["Applications", count(valueOf(row, "applications")), noteOf(row, "applications")],
            ]}
          />
        );
      }}
    </Loaded>
  );
}

/** Traffic and latency over time. */
function Course({ name, filters }: Part) {
  const measures: Measure[] = ["calls", "refused", "server_errors", "latency_p50_us", "latency_p95_us", "latency_p99_us"];
  const query = useAnswer(name, filters, { measures }, true);
  const per = spans[name].granularity;
  return (
    <Loaded query={query} rows={8}>
      {(answer) => {
        const at = beginsOf(answer, per);
        const rows = byTime(answer.rows);
        const bars = at.map((each) => {
          const row = rows.get(each);
          const [refused, failed] = [valueOf(row, "refused"), valueOf(row, "server_errors")];
          return { at: each, refused, failed, answered: Math.max(0, valueOf(row, "calls") - refused - failed) };
        });
        const line = (measure: Measure) => at.map((each) => rows.get(each)?.values[measure] ?? null);
        return (
          <div className="mt-6 space-y-8">
            <CallsChart
              bars={bars}
              per={per}
              title="Traffic"
              text="Good: steady colour and next to no red. Hatched calls were refused by the gateway."
            />
            <LineChart
              title="Latency"
              unit="from the request's head to the answer's end"
              text="Good: the lines lie close together and do not rise with the traffic. A p99 far above the rest means that some calls wait."
              at={at}
              per={per}
              write={duration}
              lines={[
                { title: "p50", stroke: "var(--accent)", values: line("latency_p50_us") },
                { title: "p95", stroke: "var(--ink-2)", dashes: "6 3", values: line("latency_p95_us") },
                { title: "p99", stroke: "var(--bad)", dashes: "2 3", values: line("latency_p99_us") },
              ]}
            />
          </div>
        );
      }}
    </Loaded>
  );
}

const sides: Record<string, string> = { gateway: "Gateway", upstream: "Upstream", client: "Client went away" };

/** The columns of the table of errors. */
const errorColumns = (names: AnalyticsAnswer["names"]): Column<AnalyticsRow>[] => [
  { title: "Status", cell: ({ dimensions }) => dimensions["status"] ?? "Others" },
  { title: "Who decided", cell: ({ dimensions }) => sides[dimensions["side"] ?? ""] ?? "" },
  { title: "Code", cell: ({ dimensions }) => <CodeLink code={dimensions["code"] ?? ""} /> },
  {
    title: "Operation",
    cell: ({ dimensions, others }) => (others ? "" : <code>{names[dimensions["operation"] ?? ""] ?? "(no operation matched)"}</code>),
  },
  { title: "Calls", numeric: true, cell: (row) => count(valueOf(row, "calls")) },
  { title: "Change", numeric: true, cell: (row) => change(valueOf(row, "calls"), row.previous?.["calls"]) || "new" },
  { title: "Applications", numeric: true, minor: true, cell: (row) => count(valueOf(row, "applications")) },
];

/** Which calls were refused or failed, who decided that, and whom it concerns. */
function Errors({ name, filters }: Part) {
  const query = useAnswer(name, filters, {
    measures: ["calls", "applications"],
    dimensions: ["side", "status", "code", "operation"],
    filters: [{ dimension: "status_class", values: ["4xx", "5xx"], exclude: false }],
    compare: true,
    top: { count: 2 * GROUPS, by: "calls" },
  });
  return (
    <Section title="Errors" text="Calls that were refused or failed: who decided so, for which operation, and how many applications it concerns.">
      <Loaded query={query}>
        {(answer) => {
          const rows = answer.rows.filter((row) => valueOf(row, "calls") > 0);
          return rows.length === 0 ? (
            <Empty title="No error in this time">
              <p>No call was refused, and none failed.</p>
            </Empty>
          ) : (
            <Table<AnalyticsRow> label="Errors" rows={rows} columns={errorColumns(answer.names)} />
          );
        }}
      </Loaded>
    </Section>
  );
}

/** A time of a row, if there were calls. */
const time = (row: AnalyticsRow, measure: Measure) => (row.values[measure] == null ? "–" : duration(valueOf(row, measure)));

/** The greatest groups of a dimension. */
function Groups(
  props: Part & {
    dimension: "api" | "operation" | "application" | "target";
    title: string;
    column: string;
    nameOf: (id: string, names: AnalyticsAnswer["names"]) => ReactNode;
    /** Whether there is nothing to see without calls. */
    isHiddenWithout?: boolean;
  },
) {
  const query = useAnswer(props.name, props.filters, {
    measures: ["calls", "error_rate", "latency_p50_us", "latency_p95_us", "latency_p99_us"],
    dimensions: [props.dimension],
    compare: true,
    top: { count: GROUPS, by: "calls" },
  });
  const columns = (names: AnalyticsAnswer["names"]): Column<AnalyticsRow>[] => [
    { title: props.column, cell: (row) => (row.others ? "Others" : props.nameOf(row.dimensions[props.dimension] ?? "", names)) },
    { title: "Calls", numeric: true, cell: (row) => count(valueOf(row, "calls")) },
    { title: "Change", numeric: true, cell: (row) => change(valueOf(row, "calls"), row.previous?.["calls"]) || "new" },
    { title: "Failed", numeric: true, cell: (row) => share(valueOf(row, "error_rate"), row.values["error_rate"] == null ? 0 : 1) },
    { title: "p50", numeric: true, cell: (row) => time(row, "latency_p50_us") },
    { title: "p95", numeric: true, cell: (row) => time(row, "latency_p95_us") },
    { title: "p99", numeric: true, minor: true, cell: (row) => time(row, "latency_p99_us") },
  ];
  if (props.isHiddenWithout && !query.data?.rows.length) return null;
  return (
    <Section title={props.title}>
      <Loaded query={query}>
        {(answer) =>
          answer.rows.length === 0 ? (
            <Empty title="No call in this time">
              <p>Make a call, or ask from a terminal:</p>
              <Command label={`Command for ${props.title}`} text="gateline analytics" />
            </Empty>
          ) : (
            <Table<AnalyticsRow> label={props.title} rows={answer.rows} columns={columns(answer.names)} />
          )
        }
      </Loaded>
    </Section>
  );
}
