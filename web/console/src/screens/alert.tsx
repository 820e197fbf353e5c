import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Copyable, Detail, Loaded, Section, Time, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { NoticesTable } from "../notices";
import { AlertState, Severity } from "./alerts";

/** One alert: what was found, and who was told. */
export default function AlertScreen() {
  const id = useParam("id");
  const query = useQuery({ ...read("/api/v1/alerts/{id}", { params: { path: { id } } }), refetchInterval: 5000 });
  return (
    <Loaded query={query}>
      {(alert) => (
        <Detail
          from={["/alerts", "Alerts"]}
          title={alert.title}
          text={alert.summary}
          actions={<ButtonLink to={`/alerts/rules/${alert.rule_id}`}>Rule</ButtonLink>}
          facts={[
            ["State", <AlertState key="state" of={alert} />],
            ["Severity", <Severity key="severity" of={alert.severity} />],
            ["Since", <Time key="since" at={alert.began_at} />],
            ["Fired", <Time key="fired" at={alert.fired_at} never="Not yet" />],
            ["Over", <Time key="over" at={alert.resolved_at} never={alert.recovering_since ? "It may be over" : "Not yet"} />],
            ...Object.entries(alert.labels).map(([name, value]): [string, ReactNode] => [name, value ? <Copyable key={name} text={value} /> : "none"]),
          ]}
        >
          {alert.ended_by === "rule_changed" && <p className="text-ink-2">It ended because its rule was paused or removed.</p>}
          <Section title="Notifications" text="What is not received is tried again for a day.">
            <Notices of={alert} />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}

function Notices({ of }: { of: Schemas["Alert"] }) {
  const query = useQuery({ ...read("/api/v1/alerts/{id}/notices", { params: { path: { id: of.id } } }), refetchInterval: 5000 });
  return (
    <Loaded query={query}>
      {({ data }) => (
        <NoticesTable of={data} nothing={of.silenced ? "Nobody is told because of a silence." : "Nobody was told."} />
      )}
    </Loaded>
  );
}
