import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { ReportDefinitionForm } from "./report-definition-form";

/** A new report of one's own. */
export default function ReportDefinitionNew() {
  const go = useGo();
  const queries = useQueryClient();
  return (
    <Detail from={["/reports", "Reports"]} title="Add a report" text="Your own questions about calls, for all members of the organization.">
      <ReportDefinitionForm
        submit="Add report"
        cancel="/reports"
        send={async (body) => {
          const made = done(await client.POST("/api/v1/report-definitions", { body }));
          await queries.invalidateQueries({ queryKey: ["/api/v1/reports"] });
          return made;
        }}
        after={(name) => go(`/reports/${name}`)}
      />
    </Detail>
  );
}
