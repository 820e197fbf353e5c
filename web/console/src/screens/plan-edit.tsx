import { client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { PlanForm } from "./plan-form";

/** Changes a plan. */
export default function PlanEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/plans/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(plan) => (
        <Detail from={[`/plans/${id}`, plan.title]} title="Change the plan" text="Gateways apply new limits within a second, to every subscription.">
          <PlanForm
            plan={plan}
            submit="Save changes"
            cancel={`/plans/${id}`}
            send={async (body) => {
              const answer = await client.PATCH("/api/v1/plans/{id}", { params: { path: { id }, header: ifMatch(plan) }, body });
              await queries.invalidateQueries({ queryKey: ["/api/v1/plans/{id}"] });
              return done(answer);
            }}
            after={() => go(`/plans/${id}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
