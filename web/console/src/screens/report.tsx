import { type Schemas, client, done, read } from "@gateline/api-client";
import {
  Button,
  ButtonLink,
  CodeLink,
  type Column,
  Command,
  Empty,
  Figures,
  LineChart,
  Loaded,
  PageHeader,
  ProblemNote,
  Section,
  type SpanName,
  Table,
  amount,
  bytes,
  change,
  count,
  duration,
  interval,
  isSpan,
  moment,
  saveFile,
  share,
  spans,
  timeOf,
  useParam,
  zone,
} from "@gateline/ui";
import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { CallsFilter } from "../calls-filter";

type Report = Schemas["Report"];
type ReportSection = Schemas["ReportSection"];
type Content = Schemas["ReportContent"];
type Cell = Schemas["ReportCell"];
type Unit = Schemas["ReportUnit"];

/** The times that a report can be about: an hour says too little. */
const times = Object.entries(spans)
  .filter(([name]) => name !== "hour")
  .map(([name, span]): [string, string] => [name, span.title]);

interface Asked {
  api?: string;
  application?: string;
  time?: string;
  capacity?: string;
  monthly_cost?: string;
  cost_by?: string;
}

const causes: [Schemas["CostBy"], string][] = [
  ["time", "by the time that calls took"],
  ["calls", "by the number of calls"],
  ["bytes_out", "by what was sent"],
];

/** A report: what happened in a time and what it means. */
export default function ReportScreen() {
  const name = useParam("name");
  const search = useSearch({ strict: false }) as Asked;
  const navigate = useNavigate();
  const list = useQuery(read("/api/v1/reports"));
  const takes = list.data?.data.find((report) => report.name === name)?.parameters;
  const time: SpanName = isSpan(search.time) && search.time !== "hour" ? search.time : "month";
  const has = (parameter: string) => takes?.includes(parameter) ?? false;
  const params = () => ({
    path: { name },
    query: {
      time_zone: zone(),
      ...(has("from") && timeOf(spans[time])),
      ...(has("api") && search.api && { api: search.api }),
      ...(has("application") && search.application && { application: search.application }),
      ...(has("capacity") && search.capacity && { capacity: Number(search.capacity) }),
      ...(has("monthly_cost") && search.monthly_cost && { monthly_cost: Number(search.monthly_cost) }),
      ...(has("cost_by") && search.cost_by && { cost_by: search.cost_by as Schemas["CostBy"] }),
    },
  });
  const query = useQuery({
    queryKey: ["/api/v1/reports", name, time, search],
    queryFn: async ({ signal }): Promise<Report> => done(await client.GET("/api/v1/reports/{name}", { params: params(), signal })),
    enabled: takes !== undefined,
    placeholderData: keepPreviousData,
  });
  const saved = useMutation({
    mutationFn: async (format: "pdf" | "csv") => {
      const { path, query: asked } = params();
      const answer = await client.GET("/api/v1/reports/{name}/export", { params: { path, query: { ...asked, format } }, parseAs: "blob" });
      saveFile(answer.data as unknown as Blob, `${name}.${format}`);
    },
  });
  const about = list.data?.data.find((report) => report.name === name);
  return (
    <>
      <PageHeader
        above={
          <Link to="/reports" className="link">
            Reports
          </Link>
        }
        title={about?.title ?? "Report"}
        text={about?.about}
        actions={
          <>
            <CallsFilter api={has("api")} application={has("application")} time={has("from") && { name: "time", value: time, options: times }} />
            {about?.definition_id && <ButtonLink to={`/reports/definitions/${about.definition_id}/edit`}>Change</ButtonLink>}
            {(["pdf", "csv"] as const).map((format) => (
              <Button key={format} disabled={saved.isPending || !query.data} onClick={() => saved.mutate(format)}>
                Save as {format.toUpperCase()}
              </Button>
            ))}
          </>
        }
      />
      {saved.error && <ProblemNote error={saved.error} />}
      {has("capacity") && <NumberOf key={search.capacity} name="capacity" label="Calls of a day that can be served" ask="When is that reached?" />}
      {has("monthly_cost") && (
        <NumberOf key={search.monthly_cost} name="monthly_cost" label="Costs of a month, in any currency" ask="What is that for a call?">
          <select
            aria-label="Shared out"
            className="input w-64"
            value={search.cost_by ?? "time"}
            onChange={({ target }) => void navigate({ to: ".", search: { ...search, cost_by: target.value } as never })}
          >
            {causes.map(([cause, title]) => (
              <option key={cause} value={cause}>
                {title}
              </option>
            ))}
          </select>
        </NumberOf>
      )}
      {list.data && !about ? (
        <Empty title="There is no such report" />
      ) : (
        <Loaded query={query} rows={12}>
          {(report) => (
            <>
              {report.sections.map((section) => (
                <Part key={section.name} of={section} />
              ))}
              <Section title="The same elsewhere" text="What is shown here can be asked for by your own programs.">
                <Command text={`gateline reports show ${name}`} />
              </Section>
            </>
          )}
        </Loaded>
      )}
    </>
  );
}

/** A number that a report asks for, which stands in the address. */
function NumberOf(props: { name: "capacity" | "monthly_cost"; label: string; ask: string; children?: ReactNode }) {
  const navigate = useNavigate();
  const { [props.name]: now, ...others } = useSearch({ strict: false }) as Asked;
  const [value, set] = useState(now ?? "");
  const ask = (event: FormEvent) => {
    event.preventDefault();
    void navigate({ to: ".", search: (Number(value) > 0 ? { ...others, [props.name]: value } : others) as never });
  };
  return (
    <form onSubmit={ask} className="mb-6 flex flex-wrap items-center gap-2">
      <label htmlFor={props.name}>{props.label}</label>
      <input id={props.name} className="input w-36" type="number" min="0" step="any" value={value} onChange={(event) => set(event.target.value)} />
      {props.children}
      <Button type="submit">{props.ask}</Button>
    </form>
  );
}

function Part({ of: { title, text, content } }: { of: ReportSection }) {
  if (content.kind === "course") {
    return (
      <div className="mt-8">
        <Course title={title} text={text} of={content} />
      </div>
    );
  }
  return (
    <Section title={title} text={text}>
      {content.kind === "figures" ? (
        <Figures
          of={content.figures.map(({ title: of, unit, value, previous }) => {
            return [of, written(unit, value) || "–", previous == null ? "" : since(value.number ?? 0, previous)];
          })}
        />
      ) : (
        <Rows title={title} of={content} />
      )}
    </Section>
  );
}

/** What has become of a figure since the time before. */
function since(now: number, before: number): string {
  if (now === before) return "as in the time before";
  return before === 0 ? "none in the time before" : `${change(now, before)} since the time before`;
}

const strokes = ["var(--accent)", "var(--ink-2)", "var(--bad)", "var(--warn)"];
const dashes = [undefined, "6 3", "2 3", "8 3 2 3"];

function Course({ title, text, of }: { title: string; text: string; of: Extract<Content, { kind: "course" }> }) {
  return (
    <LineChart
      title={title}
      unit={`per ${of.per}`}
      text={text}
      at={of.at.map((at) => Date.parse(at))}
      per={of.per}
      write={(number) => written(of.unit, { number })}
      lines={of.lines.map((line, place) => {
        const dash = dashes[place % dashes.length] ?? (line.expected ? "4 2" : undefined);
        return {
          title: line.title,
          stroke: strokes[place % strokes.length] ?? "var(--accent)",
          ...(dash && { dashes: dash }),
          values: line.values.map((cell) => cell.number ?? null),
        };
      })}
    />
  );
}

function Rows({ title, of }: { title: string; of: Extract<Content, { kind: "table" }> }) {
  if (of.rows.length === 0) return <p className="text-ink-2">{of.nothing}</p>;
  const columns = of.columns.map((column, place): Column<Schemas["ReportRow"]> => ({
    title: column.title,
    numeric: column.unit !== "text" && column.unit !== "moment",
    wide: place === 0,
    cell: (row) => <Value unit={column.unit} of={row.cells[place] ?? {}} />,
  }));
  return (
    <>
      <Table label={title} rows={of.rows} columns={columns} rowKey={(row) => String(of.rows.indexOf(row))} />
      {of.left_out > 0 && <p className="mt-2 text-sm text-ink-2">And {count(of.left_out)} more.</p>}
    </>
  );
}

function Value({ unit, of }: { unit: Unit; of: Cell }) {
  if (unit !== "text") return <span className="whitespace-nowrap">{written(unit, of)}</span>;
  if (of.id?.startsWith("api_")) {
    return (
      <Link to={`/apis/${of.id}`} className="link">
        {of.text}
      </Link>
    );
  }
  // An error code explains itself on a page.
  if (of.id && /^[a-z_]+$/.test(of.id)) {
    return (
      <>
        {of.text} <CodeLink code={of.id} />
      </>
    );
  }
  return of.text ?? "";
}

/** A cell as people read it; empty if it has nothing. */
function written(unit: Unit, { number, text }: Cell): string {
  if (number == null) return unit === "moment" && text ? moment(text) : (text ?? "");
  switch (unit) {
    case "share":
      return share(number, 1);
    case "change":
      return change(1 + number, 1) || "±0 %";
    case "microseconds":
      return duration(number);
    case "seconds":
      return interval(number);
    case "bytes":
      return bytes(number);
    case "amount":
      return amount(number);
    default:
      return count(Math.round(number));
  }
}
