import { type Schemas, read } from "@gateline/api-client";
import { Command, OperationsTable, UsageChart, UsageTable } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { ApiFrame } from "./frame";

const HOURS = 24;

/** Calls of one API by operation and application. */
export default function ApiUsage() {
  return <ApiFrame>{(api) => <Usage api={api} />}</ApiFrame>;
}

function Usage({ api }: { api: Schemas["Api"] }) {
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  const title = (id: string) => applications.data?.data.find((each) => each.id === id)?.title ?? (id || "(no valid key)");
  const filter = { api: api.id };
  const empty = (
    <>
      <p>A call shows here within two seconds. Make one:</p>
      <Command text={`gateline keys create --api ${api.name} --plan free`} />
    </>
  );
  return (
    <>
      <UsageChart
        filter={filter}
        hours={HOURS}
        title="Calls"
        text="Good: steady colour and next to no red. Hatched calls were refused by the gateway and are neither billed nor in the quota."
      />
      <OperationsTable filter={filter} hours={HOURS} empty={empty} />
      <UsageTable
        filter={filter}
        hours={HOURS}
        title="By application"
        group="application"
        column="Application"
        by={(row) => row.application_id ?? ""}
        name={(group) => title(group.id)}
        empty="Nobody called yet."
      />
    </>
  );
}
