import { read } from "@gateline/api-client";
import { Command, OperationsTable, PageHeader, UsageChart, UsageTable, callerOf } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

const periods: [hours: number, title: string][] = [
  [24, "Last 24 hours"],
  [72, "Last 3 days"],
  [168, "Last 7 days"],
];

const titles = (rows: { id: string; title: string }[] | undefined): [string, string][] => (rows ?? []).map((row) => [row.id, row.title]);

/** Calls of everything that the organization offers and uses. */
export default function Usage() {
  const search = useSearch({ strict: false }) as { api?: string; application?: string; hours?: string };
  const navigate = useNavigate();
  const hours = periods.find(([each]) => String(each) === search.hours)?.[0] ?? 24;
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 200 } } }));
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  const filter = { ...(search.api && { api: search.api }), ...(search.application && { application: search.application }) };
  const choice = (name: string, title: string, value: string, options: [string, string][]) => (
    <select
      aria-label={title}
      className="input w-auto max-w-72"
      value={value}
      onChange={(event) => void navigate({ to: ".", search: { ...search, [name]: event.target.value } as never })}
    >
      {options.map(([id, text]) => (
        <option key={id} value={id}>
          {text}
        </option>
      ))}
    </select>
  );
  return (
    <>
      <PageHeader
        title="Usage"
        text="Every accepted call is counted once, and shows here within two seconds."
        actions={
          <>
            {choice("api", "API", search.api ?? "", [["", "Every API"], ...titles(apis.data?.data)])}
            {choice("application", "Application", search.application ?? "", [["", "Every application"], ...titles(applications.data?.data)])}
            {choice("hours", "Time", String(hours), periods.map(([each, title]) => [String(each), title]))}
          </>
        }
      />
      <UsageChart
        filter={filter}
        hours={hours}
        title="Traffic"
        text="Good: steady colour and next to no red. Hatched calls were refused by the gateway and are neither billed nor in the quota."
      />
      <OperationsTable
        filter={filter}
        hours={hours}
        empty={
          <>
            <p>Make a call, or look from a terminal:</p>
            <Command text="gateline usage" />
          </>
        }
      />
      <UsageTable
        filter={filter}
        hours={hours}
        title="By API"
        group="api"
        column="API"
        by={(row) => row.api_id}
        name={(group) => (
          <Link to={`/apis/${group.id}/usage`} className="link">
            {group.rows[0]?.api || group.id}
          </Link>
        )}
        empty="No API was called."
      />
      <UsageTable
        filter={filter}
        hours={hours}
        title="By application"
        group="application"
        column="Application"
        by={(row) => row.application_id ?? ""}
        name={callerOf}
        empty="Nobody called."
      />
    </>
  );
}
