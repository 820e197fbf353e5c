import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ReportScheduleForm } from "./report-schedule-form";

/** Changes a schedule. */
export default function ReportScheduleEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/report-schedules/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(schedule) => (
        <Detail from={[`/reports/schedules/${id}`, schedule.title]} title="Change the schedule">
          <ReportScheduleForm
            schedule={schedule}
            submit="Save changes"
            cancel={`/reports/schedules/${id}`}
            send={async (spec) => {
              const body = { api: null, application: null, capacity: null, monthly_cost: null, cost_by: null, time_zone: null, ...spec } as Schemas["ReportSchedulePatch"];
              const answer = await client.PATCH("/api/v1/report-schedules/{id}", { params: { path: { id }, header: ifMatch(schedule) }, body });
              await queries.invalidateQueries({ queryKey: ["/api/v1/report-schedules/{id}"] });
              return done(answer);
            }}
            after={() => go(`/reports/schedules/${id}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
