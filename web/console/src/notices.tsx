import type { Schemas } from "@gateline/api-client";
import { State, Table, Time } from "@gateline/ui";

type Notice = Schemas["Notice"];

const said: Record<Notice["kind"], string> = {
  firing: "It has begun",
  repeated: "It still is so",
  resolved: "It is over",
  report: "The report",
};

/** Who was told what, and whether it was received. */
export function NoticesTable({ of, nothing }: { of: Notice[]; nothing: string }) {
  if (of.length === 0) return <p className="text-ink-2">{nothing}</p>;
  return (
    <Table<Notice>
      label="Notifications"
      rows={of}
      columns={[
        { title: "Channel", cell: (notice) => <code>{notice.channel}</code> },
        { title: "Said", cell: (notice) => said[notice.kind] },
        { title: "State", cell: (notice) => <State of={notice.state} /> },
        { title: "Tries", numeric: true, cell: (notice) => notice.attempts },
        { title: "Made", cell: (notice) => <Time at={notice.created_at} /> },
        { title: "What went wrong", wide: true, minor: true, cell: (notice) => notice.error ?? "–" },
      ]}
    />
  );
}
