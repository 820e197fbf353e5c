import { PageHeader, Tabs } from "@gateline/ui";
import type { ReactNode } from "react";

/** What stands above the four lists about alerts. */
export function AlertHead({ text, actions }: { text: string; actions?: ReactNode }) {
  return (
    <>
      <PageHeader title="Alerts" text={text} actions={actions} />
      <Tabs
        label="Alerts"
        base="/alerts"
        tabs={[
          ["", "Alerts"],
          ["rules", "Rules"],
          ["channels", "Channels"],
          ["silences", "Silences"],
        ]}
      />
    </>
  );
}
