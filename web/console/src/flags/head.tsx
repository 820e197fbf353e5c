import { PageHeader, Tabs } from "@gateline/ui";
import type { ReactNode } from "react";

/** What stands above the screens about all flags. */
export function FlagsHead({ text, actions }: { text: string; actions?: ReactNode }) {
  return (
    <>
      <PageHeader title="Feature flags" text={text} actions={actions} />
      <Tabs
        label="Feature flags"
        base="/flags"
        tabs={[
          ["", "Flags"],
          ["try", "For one person"],
          ["changes", "Proposals"],
          ["left-out", "Left out"],
        ]}
      />
    </>
  );
}
