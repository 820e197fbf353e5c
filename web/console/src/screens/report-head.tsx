import { PageHeader, Tabs } from "@gateline/ui";
import type { ReactNode } from "react";

/** What stands above the lists of reports and of their schedules. */
export function ReportHead({ text, actions }: { text: string; actions?: ReactNode }) {
  return (
    <>
      <PageHeader title="Reports" text={text} actions={actions} />
      <Tabs
        label="Reports"
        base="/reports"
        tabs={[
          ["", "Reports"],
          ["schedules", "Schedules"],
        ]}
      />
    </>
  );
}
