import { read } from "@gateline/api-client";
import { OperationsTable, PageHeader, UsageChart, UsageTable } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
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
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  const title = (id: string) => applications.data?.data.find((each) => each.id === id)?.title ?? id;
  return (
    <>
      <PageHeader title="Usage" text="Every call of your applications, counted once." />
      <UsageChart
        filter={{}}
        hours={HOURS}
        title="Calls"
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
            {title(group.id)}
          </Link>
        )}
        empty="None of your applications made a call."
      />
      <OperationsTable filter={{}} hours={HOURS} empty="Make a call with a key of yours." />
    </>
  );
}
