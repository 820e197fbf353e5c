import { Command, OperationsTable, PageHeader, UsageChart, UsageTable, callerOf } from "@gateline/ui";
import { Link, useSearch } from "@tanstack/react-router";
import { CallsFilter } from "../calls-filter";

const periods: [hours: number, title: string][] = [
  [24, "Last 24 hours"],
  [72, "Last 3 days"],
  [168, "Last 7 days"],
];

/** Calls of everything that the organization offers and uses. */
export default function Usage() {
  const search = useSearch({ strict: false }) as { api?: string; application?: string; hours?: string };
  const hours = periods.find(([each]) => String(each) === search.hours)?.[0] ?? 24;
  const filter = { ...(search.api && { api: search.api }), ...(search.application && { application: search.application }) };
  return (
    <>
      <PageHeader
        title="Usage"
        text="Every accepted call is counted once, and shows here within two seconds."
        actions={<CallsFilter time={{ name: "hours", value: String(hours), options: periods.map(([each, title]) => [String(each), title]) }} />}
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
