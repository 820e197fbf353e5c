import { client, done, ifMatch, read } from "@gateline/api-client";
import { ActionButton, ButtonLink, ConfirmButton, Copyable, Detail, Loaded, Section, State, Time, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { NoticesTable } from "../notices";
import { intervals } from "./report-schedule-form";

/** One schedule: when it is sent, and what became of what was sent. */
export default function ReportScheduleScreen() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const path = { params: { path: { id } } };
  const query = useQuery({ ...read("/api/v1/report-schedules/{id}", path), refetchInterval: 5000 });
  const notices = useQuery({ ...read("/api/v1/report-schedules/{id}/notices", path), refetchInterval: 5000 });
  return (
    <Loaded query={query}>
      {(schedule) => (
        <Detail
          from={["/reports/schedules", "Schedules"]}
          title={schedule.title}
          actions={
            <>
              <ActionButton
                label="Send it now"
                act={async () => {
                  done(await client.POST("/api/v1/report-schedules/{id}/send", path));
                  await queries.invalidateQueries({ queryKey: ["/api/v1/report-schedules/{id}/notices"] });
                }}
              />
              <ButtonLink to={`/reports/schedules/${id}/edit`}>Change</ButtonLink>
              <ActionButton
                label={schedule.paused ? "Go on" : "Pause"}
                act={async () => {
                  const body = { paused: !schedule.paused };
                  done(await client.PATCH("/api/v1/report-schedules/{id}", { params: { path: { id }, header: ifMatch(schedule) }, body }));
                  await queries.invalidateQueries({ queryKey: ["/api/v1/report-schedules/{id}"] });
                }}
              />
              <ConfirmButton
                label="Delete"
                title={`Delete the schedule ${schedule.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/report-schedules/{id}", { params: { path: { id }, header: ifMatch(schedule) } });
                  go("/reports/schedules");
                }}
              >
                The report is not sent any more.
              </ConfirmButton>
            </>
          }
          facts={[
            ["State", <State key="state" of={schedule.paused ? "paused" : schedule.error ? "failed" : "active"} />],
            ["Report", <Link key="report" to={`/reports/${schedule.report}`} className="link">{schedule.report}</Link>],
            ["Sent", `${intervals[schedule.interval]}, from ${String(schedule.hour ?? 6).padStart(2, "0")}:00 ${schedule.time_zone ?? "UTC"}`],
            ["As", schedule.format === "csv" ? "CSV" : "PDF"],
            ["To", schedule.channels.join(", ")],
            ["Next", <Time key="next" at={schedule.next_at} never={schedule.paused ? "Paused" : "In a moment"} />],
            ["Last", <Time key="last" at={schedule.last_at} never="Not yet" />],
            ["Id", <Copyable key="id" text={schedule.id} />],
          ]}
        >
          {schedule.error && <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">{schedule.error} It is tried again.</p>}
          <Section title="What was sent" text="What is not received is tried again for a day.">
            <Loaded query={notices}>{({ data }) => <NoticesTable of={data} nothing="Nothing yet." />}</Loaded>
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}
