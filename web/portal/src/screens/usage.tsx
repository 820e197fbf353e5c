import { OperationsTable, PageHeader, UsageChart, UsageTable, callerOf } from "@gateline/ui";
import { Link } from "@tanstack/react-router";
import { SignedIn } from "../shell";

const HOURS = 24;

/** What all applications of the consumer called. */
export default function UsageScreen() {
  return (
    <SignedIn>
      <Usage />
    </SignedIn>
  );
}

function Usage() {
  return (
    <>
      <PageHeader title="Usage" text="Every call of your applications, counted once." />
      <UsageChart
        filter={{}}
        hours={HOURS}
        title="Traffic"
        text="A call shows within two seconds. Good: next to nothing hatched (refused by key, limit or quota) or red (failed behind the gateway)."
      />
      <UsageTable
        filter={{}}
        hours={HOURS}
        title="By application"
        group="application"
        column="Application"
        by={(row) => row.application_id ?? ""}
        name={(group) => (
          <Link to={`/applications/${group.id}/usage`} className="link">
            {callerOf(group)}
          </Link>
        )}
        empty="None of your applications made a call."
      />
      <OperationsTable filter={{}} hours={HOURS} empty="Make a call with a key of yours." />
    </>
  );
}
