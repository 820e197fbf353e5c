import { OperationsTable, UsageChart } from "@gateline/ui";
import { ApplicationFrame } from "./application-frame";

const HOURS = 24;

/** What an application called. */
export default function ApplicationUsageScreen() {
  return (
    <ApplicationFrame>
      {(application) => {
        const filter = { application: application.id };
        return (
          <>
            <UsageChart
              filter={filter}
              hours={HOURS}
              title="Traffic"
              text="A call shows within two seconds. Good: next to nothing hatched (refused by key, limit or quota) or red (failed behind the gateway)."
            />
            <OperationsTable filter={filter} hours={HOURS} empty="Make a call with one of the application's keys." />
          </>
        );
      }}
    </ApplicationFrame>
  );
}
