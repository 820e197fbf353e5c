import { type Schemas, read } from "@gateline/api-client";
import {
  type AnalyticsAnswer,
  Badge,
  Button,
  type Column,
  Command,
  Dialog,
  Empty,
  Facts,
  Figures,
  LineChart,
  Loading,
  type Measure,
  Method,
  PageHeader,
  ProblemNote,
  Section,
  Table,
  beginsOf,
  byTime,
  bytes,
  count,
  duration,
  plural,
  share,
  useSession,
  valueOf,
} from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { type Connection, useEvents } from "../events";

type Call = Schemas["LiveCall"];
type Search = Partial<Record<"view" | "api" | "application" | "status" | "slower", string>>;

/** The most calls that are shown, and that wait while the screen is paused. */
const ROWS = 500;
/** How often what has come is shown, and how often it is said, in milliseconds. */
const [SHOWN, SAID] = [250, 10_000];

/** A row of the table: a call, or that some are missing. */
type Row = { id: string; call: Call } | { id: string; missed: number | null };

/** Calls as they are counted: their rate, errors and latency of the last minutes, and each of them. */
export default function Live() {
  const search = useSearch({ strict: false }) as Search;
  const { organization } = useSession();
  const filters = {
    ...(search.api && { api: search.api }),
    ...(search.application && { application: search.application }),
    ...(search.status && { status: search.status }),
  };
  return (
    <>
      <PageHeader title="Live" text="Calls as they are counted, about a second after they ended." actions={<Filters search={search} />} />
      <Sums key={`sums ${organization?.id} ${JSON.stringify(filters)}`} filters={filters} />
      <Section title="Calls" text={`The last ${ROWS} that fit, the newest first.`} actions={<TailFilters search={search} />}>
        <Tail key={`calls ${organization?.id} ${JSON.stringify(search)}`} filters={filters} search={search} />
      </Section>
    </>
  );
}

type Choice = [value: string, title: string];

const named = (rows: { id: string; title: string }[] | undefined) => (rows ?? []).map(({ id, title }): Choice => [id, title]);

/** A choice that stands in the address. */
function Choice(props: { search: Search; name: keyof Search; title: string; options: Choice[] }) {
  const navigate = useNavigate();
  const { name, search } = props;
  return (
    <select
      aria-label={props.title}
      className="input w-auto max-w-60"
      value={search[name] ?? ""}
      onChange={(event) => void navigate({ to: ".", search: { ...search, [name]: event.target.value || undefined } as never, replace: true })}
    >
      {props.options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}

const statuses: Choice[] = [["", "Every status"], ["2xx", "2xx"], ["3xx", "3xx"], ["4xx", "4xx"], ["5xx", "5xx"], ["4xx,5xx", "4xx and 5xx"]];

/** Which calls are shown; the choices stand in the address. */
function Filters({ search }: { search: Search }) {
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 200 } } }));
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  return (
    <>
      <Choice search={search} name="api" title="API" options={[["", "Every API"], ...named(apis.data?.data)]} />
      <Choice search={search} name="application" title="Application" options={[["", "Every application"], ...named(applications.data?.data)]} />
      <Choice search={search} name="status" title="Status" options={statuses} />
    </>
  );
}

/** Which of them are told one by one. */
function TailFilters({ search }: { search: Search }) {
  return (
    <>
      <Choice search={search} name="view" title="Whose calls" options={[["", "Of your APIs"], ["made", "Of your applications"]]} />
      <Choice search={search} name="slower" title="Latency" options={[["", "Any latency"], ["100000", "At least 100 ms"], ["1000000", "At least 1 s"]]} />
    </>
  );
}

/** Says that a stream is not open, and why. */
function Said({ connection }: { connection: Connection }) {
  if (connection.is === "refused") return <ProblemNote error={connection.error} />;
  if (connection.is !== "broken") return null;
  return (
    <p role="status" className="mb-3 rounded-md border border-line bg-sunken px-3 py-2 text-sm">
      The connection broke and is opened again. {connection.why}
    </p>
  );
}

/** Rate, errors and latency of the last minutes. */
function Sums({ filters }: { filters: { api?: string; application?: string; status?: string } }) {
  const [known, setKnown] = useState<{ answer: AnalyticsAnswer; at: number }>();
  const query = { ...filters, measures: "calls,server_errors,latency_p95_us", interval_seconds: 2, window_minutes: 30 };
  const connection = useEvents("/api/v1/analytics/live", query, (events) => {
    const last = events.findLast(({ name }) => name === "answer");
    if (last) setKnown({ answer: last.data as AnalyticsAnswer, at: Date.now() });
  });
  return (
    <>
      <Said connection={connection} />
      {known ? <Course {...known} /> : connection.is !== "refused" && <Loading rows={6} />}
    </>
  );
}

const perSecond = (value: number) => `${value < 10 ? value.toFixed(1) : count(Math.round(value))} /s`;

/** An answer, and when it came. */
function Course({ answer, at: cameAt }: { answer: AnalyticsAnswer; at: number }) {
  const at = beginsOf(answer, "minute");
  const rows = byTime(answer.rows);
  const begun = at.at(-1) ?? 0;
  // The minute that is not over yet would look like a collapse.
  const seconds = (each: number) => (each === begun ? Math.max((cameAt - begun) / 1000, 1) : 60);
  const rate = at.map((each) => valueOf(rows.get(each), "calls") / Math.min(seconds(each), 60));
  const failed = at.map((each) => {
    const row = rows.get(each);
    return row ? (100 * valueOf(row, "server_errors")) / Math.max(valueOf(row, "calls"), 1) : null;
  });
  const within = at.map((each) => rows.get(each)?.values["latency_p95_us" satisfies Measure] ?? null);
  const whole = at.length - 2;
  const sum = (measure: Measure) => answer.rows.reduce((total, row) => total + valueOf(row, measure), 0);
  return (
    <>
      <Figures
        of={[
          ["Calls per second", perSecond(rate[whole] ?? 0), "in the last whole minute"],
          ["Failed", share(sum("server_errors"), sum("calls")), `of the last ${at.length} minutes' calls`],
          ["95 % within", within[whole] == null ? "–" : duration(within[whole]), "in the last whole minute"],
          ["Calls", count(sum("calls")), `in ${at.length} minutes`],
        ]}
      />
      <div className="mt-6 grid gap-8 lg:grid-cols-3">
        <LineChart title="Traffic" unit="calls per second" text="Good: no sudden edge." at={at} per="minute" write={perSecond} lines={[{ title: "calls", stroke: "var(--accent)", values: rate }]} />
        <LineChart title="Failed" unit="of all calls" text="Good: a line at the bottom." at={at} per="minute" write={(value) => share(value, 100)} lines={[{ title: "failed", stroke: "var(--bad)", values: failed }]} />
        <LineChart title="Latency" unit="95 % within" text="Good: it does not rise with the traffic." at={at} per="minute" write={duration} lines={[{ title: "p95", stroke: "var(--ink-2)", values: within }]} />
      </div>
    </>
  );
}

const stateOf: Record<Connection["is"], string> = { opening: "Connecting…", open: "Connected.", broken: "Connecting again…", refused: "" };

/** The calls one by one, the newest first. */
function Tail({ filters, search }: { filters: { api?: string; application?: string; status?: string }; search: Search }) {
  const view = search.view === "made" ? "made" : "provided";
  const [rows, setRows] = useState<Row[]>([]);
  const [isPaused, setPaused] = useState(false);
  const [waiting, setWaiting] = useState(0);
  const [seen, setSeen] = useState(0);
  const [shown, setShown] = useState<Call>();
  const young = useRef<Row[]>([]);
  const total = useRef(0);
  const slower = Number(search.slower ?? 0);
  const query = { ...filters, view, ...(slower > 0 && { latency_min_us: slower }) } as const;
  const connection = useEvents("/api/v1/analytics/calls", query, (events) => {
    for (const { name, id, data } of events) {
      if (name === "call") young.current.push({ id: id ?? "", call: data as Call });
      if (name === "missed") young.current.push({ id: `missed-${total.current}`, missed: (data as { missed: number | null }).missed });
      total.current += 1;
    }
    if (young.current.length > ROWS) young.current = young.current.slice(-ROWS);
  });
  useEffect(() => {
    const timer = setInterval(() => {
      if (isPaused) {
        setWaiting(young.current.length);
        return;
      }
      if (young.current.length === 0) return;
      const fresh = young.current.toReversed();
      young.current = [];
      setRows((known) => [...fresh, ...known].slice(0, ROWS));
    }, SHOWN);
    return () => clearInterval(timer);
  }, [isPaused]);
  useEffect(() => {
    const timer = setInterval(() => setSeen(total.current), SAID);
    return () => clearInterval(timer);
  }, []);
  const pause = () => {
    setWaiting(0);
    setPaused(!isPaused);
  };
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <Button onClick={pause}>{isPaused ? `Resume (${count(waiting)} waiting)` : "Pause"}</Button>
        <span className="text-sm text-ink-2">{isPaused ? "Paused: what comes waits." : stateOf[connection.is]}</span>
      </div>
      <Said connection={connection} />
      <p role="status" className="sr-only">
        {seen > 0 && `${plural(seen, "call")} came since the screen was opened.`}
      </p>
      {rows.length > 0 ? (
        <Table<Row> label="Calls" rows={rows} columns={columns(setShown)} />
      ) : connection.is === "refused" ? null : (
        <Empty title="No call yet">
          <p>Calls that fit show here as they come. In a terminal:</p>
          <Command label="Command to watch calls" text={view === "made" ? "gateline tail --made" : "gateline tail"} />
        </Empty>
      )}
      <Dialog open={shown !== undefined} onClose={() => setShown(undefined)} title="Call" wide>
        {shown && <Fields call={shown} />}
      </Dialog>
    </>
  );
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

const missedText = (missed: number | null) => (missed === null ? "Some calls were missed" : `${plural(missed, "call")} missed`);

/** The columns of the table; a click on the time shows all that is known of the call. */
const columns = (show: (call: Call) => void): Column<Row>[] => {
  const of = (cell: (call: Call) => ReactNode) => (row: Row) => ("call" in row ? cell(row.call) : null);
  return [
    {
      title: "Time",
      cell: (row) =>
        "call" in row ? (
          <button type="button" className="link tnum" onClick={() => show(row.call)} aria-label={`Call at ${clock.format(new Date(row.call.started_at))}: show all fields`}>
            {clock.format(new Date(row.call.started_at))}
          </button>
        ) : (
          <Badge tone="warn">{missedText(row.missed)}</Badge>
        ),
    },
    { title: "Method", cell: of(({ method }) => <Method of={method} />) },
    { title: "Status", numeric: true, cell: of(({ status }) => <span className={status >= 500 ? "text-bad" : ""}>{status}</span>) },
    { title: "Latency", numeric: true, cell: of(({ latency_us }) => duration(latency_us)) },
    { title: "API", minor: true, cell: of(({ api, api_id }) => api ?? api_id) },
    { title: "Operation", cell: of(({ operation }) => (operation ? <code>{operation}</code> : "(none matched)")) },
    { title: "Application", minor: true, cell: of(({ application }) => application ?? "(no valid key)") },
    { title: "Refused with", minor: true, cell: of(({ refusal }) => (refusal ? <code>{refusal}</code> : null)) },
  ];
};

function written(name: string, value: unknown): string {
  if (name.startsWith("bytes_")) return bytes(Number(value));
  if (name === "latency_us") return duration(Number(value));
  return String(value);
}

/** Everything that is known of a call, by the names that the API has for it. */
function Fields({ call }: { call: Call }) {
  return <Facts of={Object.entries(call).map(([name, value]) => [name, <code key={name}>{written(name, value)}</code>])} />;
}
