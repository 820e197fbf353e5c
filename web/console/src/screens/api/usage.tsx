import type { Schemas } from "@gateline/api-client";
import { Command, OperationsTable, UsageChart, UsageTable, callerOf } from "@gateline/ui";
import { ApiFrame } from "./frame";

const HOURS = 24;

/** Calls of one API by operation and application. */
export default function ApiUsage() {
  return <ApiFrame>{(api) => <Usage api={api} />}</ApiFrame>;
}

function Usage({ api }: { api: Schemas["Api"] }) {
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
        title="Traffic"
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
        name={callerOf}
        empty="Nobody called yet."
      />
    </>
  );
}
