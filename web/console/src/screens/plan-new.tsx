import { type Schemas, client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { PlanForm } from "./plan-form";

/** A new plan. */
export default function PlanNew() {
  const go = useGo();
  return (
    <Detail from={["/plans", "Plans"]} title="Create a plan" text="Limits, quota and price of one offer. Products list the plans they are offered under.">
      <PlanForm
        submit="Create plan"
        cancel="/plans"
        send={async (spec) => {
          const given = Object.entries(spec).filter(([, value]) => value !== null);
          return done(await client.POST("/api/v1/plans", { body: Object.fromEntries(given) as Schemas["PlanSpec"] }));
        }}
        after={(id) => go(`/plans/${id}`)}
      />
    </Detail>
  );
}
