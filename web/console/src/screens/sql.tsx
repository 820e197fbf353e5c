import { ProblemError, client, done } from "@gateline/api-client";
import { Button, type Column, Empty, PageHeader, ProblemNote, Section, Table, plural, saveFile } from "@gateline/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";

const Editor = lazy(() => import("@gateline/ui/editor.tsx"));

type Format = "csv" | "parquet";
type Row = Record<string, string | number | boolean | null>;

/** How many rows are shown; one more is asked for, to know whether there are more. */
const SHOWN = 500;
/** How many rows a file has at most. */
const IN_A_FILE = 1_000_000;

const today = (): string => new Date().toISOString().slice(0, 10);

const examples = (): [title: string, sql: string][] => [
  [
    "Slowest calls",
    `SELECT started_at, request_id, method, status, latency_us
FROM calls
WHERE date = DATE '${today()}'
ORDER BY latency_us DESC
LIMIT 20`,
  ],
  [
    "Errors by code",
    `SELECT api_id, status, refusal, count(*) AS calls, count(DISTINCT application_id) AS applications
FROM calls
WHERE date >= DATE '${today()}' - INTERVAL '7 days' AND status >= 400
GROUP BY 1, 2, 3
ORDER BY calls DESC`,
  ],
  [
    "Traffic by hour",
    `SELECT date_trunc('hour', started_at) AS hour, count(*) AS calls,
       approx_percentile_cont(latency_us, 0.95) AS p95_us
FROM calls
WHERE date >= DATE '${today()}' - INTERVAL '1 day'
GROUP BY 1
ORDER BY 1`,
  ],
  [
    "Events by type",
    `SELECT type, environment, count(*) AS events, count(DISTINCT user_id) AS users
FROM events
WHERE date >= DATE '${today()}' - INTERVAL '7 days'
GROUP BY 1, 2
ORDER BY events DESC`,
  ],
  [
    "What we called",
    `SELECT application_id, api_id, count(*) AS calls
FROM calls_made
WHERE date = DATE '${today()}'
GROUP BY 1, 2
ORDER BY calls DESC`,
  ],
];

async function ask(sql: string): Promise<Row[]> {
  const body = { sql, limit: SHOWN + 1, format: "ndjson" as const };
  const text = done(await client.POST("/api/v1/analytics/sql", { body, parseAs: "text" })) ?? "";
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

/** Asks for a file and hands it to the browser. */
async function save(sql: string, format: Format): Promise<void> {
  const answer = await client.POST("/api/v1/analytics/sql", { body: { sql, limit: IN_A_FILE, format }, parseAs: "blob" });
  saveFile(answer.data as unknown as Blob, `calls.${format}`);
}

/** Where in the statement something is wrong, as far as it was said. */
const remarks = (error: Error | null) =>
  error instanceof ProblemError
    ? error.fields
        .filter((field) => field.pointer === "/sql" && field.line)
        .map((field) => ({ line: field.line ?? 0, column: field.column ?? 0, severity: "error" as const, text: field.detail }))
    : [];

/** Questions about single calls, in SQL. */
export default function Sql() {
  const search = useSearch({ strict: false }) as { sql?: string };
  const navigate = useNavigate();
  const [sql, setSql] = useState(search.sql ?? examples()[0]?.[1] ?? "");
  const asked = useMutation({ mutationFn: ask });
  const saved = useMutation({ mutationFn: ({ format }: { format: Format }) => save(sql, format) });
  const run = () => {
    void navigate({ to: ".", search: { sql } as never, replace: true });
    asked.mutate(sql);
  };
  return (
    <>
      <PageHeader title="SQL" text={<>Every single call is a row, some seconds after it ended. Ask for days with <code>date</code>: each is read on its own.</>} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <div className="mb-2 flex flex-wrap items-center gap-2" role="group" aria-label="Examples">
          {examples().map(([title, example]) => (
            <Button key={title} onClick={() => setSql(example)}>
              {title}
            </Button>
          ))}
        </div>
        <div className="h-56">
          <Suspense fallback={null}>
            <Editor value={sql} set={setSql} remarks={remarks(asked.error)} label="Statement" language="sql" submit={run} />
          </Suspense>
        </div>
        <div className="mt-3 flex flex-wrap items-center gap-2">
          <Button kind="primary" type="submit" disabled={asked.isPending || sql.trim() === ""}>
            {asked.isPending ? "Running…" : "Run"}
          </Button>
          <span className="text-sm text-ink-2">Ctrl + Enter</span>
          <span className="ml-auto flex gap-2">
            {(["csv", "parquet"] as const).map((format) => (
              <Button key={format} disabled={saved.isPending || sql.trim() === ""} onClick={() => saved.mutate({ format })}>
                Save as {format === "csv" ? "CSV" : "Parquet"}
              </Button>
            ))}
          </span>
        </div>
      </form>
      {(asked.error ?? saved.error) && (
        <div className="mt-4">
          <ProblemNote error={(asked.error ?? saved.error) as Error} />
        </div>
      )}
      {asked.data && <Answer rows={asked.data} />}
      <Columns />
    </>
  );
}

const written = (value: Row[string] | undefined): string => (value === null || value === undefined ? "" : String(value));

function Answer({ rows }: { rows: Row[] }) {
  const shown = rows.slice(0, SHOWN);
  const columns = Object.keys(rows[0] ?? {}).map((name): Column<Row> => {
    const isNumber = shown.some((row) => typeof row[name] === "number");
    return { title: name, numeric: isNumber, cell: (row) => <span className={isNumber ? "" : "font-mono text-sm whitespace-nowrap"}>{written(row[name])}</span> };
  });
  return (
    <Section title="Answer" text={rows.length > SHOWN ? `The first ${SHOWN} rows; save a file for the others.` : plural(rows.length, "row")}>
      {rows.length === 0 ? (
        <Empty title="No rows">
          <p>No call fits. Calls are there some seconds after they ended.</p>
        </Empty>
      ) : (
        <Table label="Answer" rows={shown} rowKey={(row) => String(shown.indexOf(row))} columns={columns} />
      )}
    </Section>
  );
}

/** What the table has, as the table itself says. */
function Columns() {
  const query = useQuery({
    queryKey: ["/api/v1/analytics/sql", "columns"],
    queryFn: async ({ signal }) => {
      const body = { sql: "SELECT * FROM calls LIMIT 0", limit: 1, format: "csv" as const };
      return done(await client.POST("/api/v1/analytics/sql", { body, parseAs: "text", signal }));
    },
    retry: false,
  });
  const names = (query.data ?? "").trim().split(",").filter(Boolean);
  if (names.length === 0) return null;
  return (
    <Section
      title="Tables"
      text={
        <>
          <code>calls</code> has the calls of your APIs, <code>calls_made</code> those that your applications made, at whoever’s APIs. Both have these columns, but
          for <code>route_id</code> and <code>variant</code>, which only the provider knows. <code>events</code> has your tracked events.
        </>
      }
    >
      <ul className="flex flex-wrap gap-1.5" aria-label="Columns">
        {names.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
    </Section>
  );
}
