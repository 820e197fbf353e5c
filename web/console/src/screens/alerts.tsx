import { type Schemas, read } from "@gateline/api-client";
import { Badge, ButtonLink, List, State, Time } from "@gateline/ui";
import { AlertHead } from "./section-head";

type Alert = Schemas["Alert"];

/** How bad something is. */
export function Severity({ of }: { of: Alert["severity"] }) {
  return <Badge tone={of === "critical" ? "bad" : of === "warning" ? "warn" : "neutral"}>{of}</Badge>;
}

/** How far an alert is. */
export function AlertState({ of }: { of: Alert }) {
  return (
    <span className="flex gap-1.5 whitespace-nowrap">
      <State of={of.state} />
      {of.silenced && <Badge tone="neutral">silenced</Badge>}
    </span>
  );
}

/** The alerts of a rule, or all of them. */
export function AlertList({ rule }: { rule?: string }) {
  return (
    <List<Alert>
      label="Alerts"
      load={({ cursor, state, severity }) => ({
        ...read("/api/v1/alerts", {
          params: {
            query: {
              cursor,
              "filter[state]": state as Alert["state"] | undefined,
              "filter[severity]": severity as Alert["severity"] | undefined,
              "filter[rule_id]": rule,
            },
          },
        }),
        refetchInterval: 5000,
      })}
      filters={[
        {
          name: "state",
          title: "State",
          options: [
            ["firing", "Firing"],
            ["pending", "Pending"],
            ["resolved", "Resolved"],
          ],
        },
        {
          name: "severity",
          title: "Severity",
          options: [
            ["critical", "Critical"],
            ["warning", "Warning"],
            ["info", "Info"],
          ],
        },
      ]}
      to={(alert) => `/alerts/${alert.id}`}
      columns={[
        { title: "Title", cell: (alert) => alert.title },
        { title: "State", cell: (alert) => <AlertState of={alert} /> },
        { title: "Severity", cell: (alert) => <Severity of={alert.severity} /> },
        { title: "What", wide: true, minor: true, cell: (alert) => alert.summary },
        { title: "Since", cell: (alert) => <Time at={alert.began_at} /> },
        { title: "Over", minor: true, cell: (alert) => <Time at={alert.resolved_at} /> },
      ]}
      empty={{
        title: "Nothing was wrong",
        text: <p>What a rule finds is listed here, for 90 days after it is over.</p>,
        action: <ButtonLink to="/alerts/rules">See the rules</ButtonLink>,
      }}
    />
  );
}

/** What is so and must not be. */
export default function Alerts() {
  return (
    <>
      <AlertHead text="What is so and must not be, and what was in the last 90 days." />
      <AlertList />
    </>
  );
}
