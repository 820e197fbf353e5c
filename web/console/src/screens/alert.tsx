import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Copyable, Detail, Loaded, Section, State, Table, Time, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { AlertState, Severity } from "./alerts";

type Notice = Schemas["AlertNotice"];

const said: Record<Notice["kind"], string> = { firing: "It has begun", repeated: "It still is so", resolved: "It is over" };

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
      {({ data }) =>
        data.length === 0 ? (
          <p className="text-ink-2">{of.silenced ? "Nobody is told because of a silence." : "Nobody was told."}</p>
        ) : (
          <Table<Notice>
            label="Notifications"
            rows={data}
            columns={[
              { title: "Channel", cell: (notice) => <code>{notice.channel}</code> },
              { title: "Said", cell: (notice) => said[notice.kind] },
              { title: "State", cell: (notice) => <State of={notice.state} /> },
              { title: "Tries", numeric: true, cell: (notice) => notice.attempts },
              { title: "Made", cell: (notice) => <Time at={notice.created_at} /> },
              { title: "What went wrong", wide: true, minor: true, cell: (notice) => notice.error ?? "–" },
            ]}
          />
        )
      }
    </Loaded>
  );
}
