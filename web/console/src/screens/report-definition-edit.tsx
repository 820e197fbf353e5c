import { client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ReportDefinitionForm } from "./report-definition-form";

/** Changes a report of one's own. */
export default function ReportDefinitionEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/report-definitions/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(definition) => (
        <Detail
          from={[`/reports/${definition.name}`, definition.title]}
          title="Change the report"
          actions={
            <ConfirmButton
              label="Delete"
              title={`Delete the report ${definition.title}?`}
              onConfirm={async () => {
                await client.DELETE("/api/v1/report-definitions/{id}", { params: { path: { id }, header: ifMatch(definition) } });
                await queries.invalidateQueries({ queryKey: ["/api/v1/reports"] });
                go("/reports");
              }}
            >
              Nobody in the organization will find it any more. While a schedule sends it, it cannot be deleted.
            </ConfirmButton>
          }
        >
          <ReportDefinitionForm
            definition={definition}
            submit="Save changes"
            cancel={`/reports/${definition.name}`}
            send={async (body) => {
              const params = { path: { id }, header: ifMatch(definition) };
              const changed = done(await client.PATCH("/api/v1/report-definitions/{id}", { params, body }));
              await queries.invalidateQueries({ queryKey: ["/api/v1/report-definitions/{id}"] });
              await queries.invalidateQueries({ queryKey: ["/api/v1/reports"] });
              return changed;
            }}
            after={(name) => go(`/reports/${name}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
