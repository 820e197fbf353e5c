import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, List, State, Time } from "@gateline/ui";
import { ReportHead } from "./section-head";
import { intervals } from "./report-schedule-form";

type Schedule = Schemas["ReportSchedule"];

/** Which reports are sent from time to time. */
export default function ReportSchedules() {
  const create = (
    <ButtonLink to="/reports/schedules/new" kind="primary">
      Schedule a report
    </ButtonLink>
  );
  return (
    <>
      <ReportHead text="Made each day, week or month, about the one before, and sent to mailboxes and webhooks." actions={create} />
      <List<Schedule>
        label="Schedules"
        load={({ q, cursor }) => read("/api/v1/report-schedules", { params: { query: { q, cursor } } })}
        searchable
        to={(schedule) => `/reports/schedules/${schedule.id}`}
        columns={[
          { title: "Title", wide: true, cell: (schedule) => <span className="font-medium">{schedule.title}</span> },
          { title: "Report", cell: (schedule) => <code>{schedule.report}</code> },
          { title: "Sent", minor: true, cell: (schedule) => intervals[schedule.interval] },
          { title: "To", minor: true, cell: (schedule) => schedule.channels.join(", ") },
          { title: "State", cell: (schedule) => <State of={schedule.paused ? "paused" : schedule.error ? "failed" : "active"} /> },
          { title: "Next", cell: (schedule) => <Time at={schedule.next_at} never="–" /> },
        ]}
        empty={{
          title: "No report is sent yet",
          text: (
            <>
              <p>Whoever answers for an API finds a report in the mailbox, without having to look here.</p>
              <Command text="gateline reports send NAME" />
            </>
          ),
          action: create,
        }}
      />
    </>
  );
}
