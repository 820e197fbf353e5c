import { PageHeader, Tabs } from "@gateline/ui";
import type { ReactNode } from "react";

/** What stands above each screen of a section: the title, and the section's screens as tabs. */
function sectionHead(title: string, base: string, tabs: [path: string, title: string][]) {
  return function SectionHead({ text, actions }: { text: string; actions?: ReactNode }) {
    return (
      <>
        <PageHeader title={title} text={text} actions={actions} />
        <Tabs label={title} base={base} tabs={tabs} />
      </>
    );
  };
}

export const AlertHead = sectionHead("Alerts", "/alerts", [
  ["", "Alerts"],
  ["rules", "Rules"],
  ["channels", "Channels"],
  ["silences", "Silences"],
]);

export const FlagsHead = sectionHead("Feature flags", "/flags", [
  ["", "Flags"],
  ["try", "For one person"],
  ["changes", "Proposals"],
  ["left-out", "Left out"],
]);

export const ReportHead = sectionHead("Reports", "/reports", [
  ["", "Reports"],
  ["schedules", "Schedules"],
]);
