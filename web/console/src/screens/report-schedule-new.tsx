import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { ReportScheduleForm } from "./report-schedule-form";

/** A new schedule. */
export default function ReportScheduleNew() {
  const go = useGo();
  return (
    <Detail from={["/reports/schedules", "Schedules"]} title="Schedule a report" text="Which report, how often, and who gets it.">
      <ReportScheduleForm
        submit="Schedule it"
        cancel="/reports/schedules"
        send={async (body) => done(await client.POST("/api/v1/report-schedules", { body }))}
        after={(id) => go(`/reports/schedules/${id}`)}
      />
    </Detail>
  );
}
