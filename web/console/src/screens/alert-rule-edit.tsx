import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, Loaded, mergePatch, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { AlertRuleForm } from "./alert-rule-form";

/** Changes a rule. */
export default function AlertRuleEdit() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/alert-rules/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(rule) => (
        <Detail from={[`/alerts/rules/${id}`, rule.title]} title="Change the rule" text="It is judged as it is now within seconds.">
          <AlertRuleForm
            rule={rule}
            submit="Save changes"
            cancel={`/alerts/rules/${id}`}
            send={async (spec) => {
              const condition = mergePatch(rule.condition, spec.condition);
              const body = { repeat_minutes: null, ...spec, condition } as Schemas["AlertRulePatch"];
              const answer = await client.PATCH("/api/v1/alert-rules/{id}", { params: { path: { id }, header: ifMatch(rule) }, body });
              await queries.invalidateQueries({ queryKey: ["/api/v1/alert-rules/{id}"] });
              return done(answer);
            }}
            after={() => go(`/alerts/rules/${id}`)}
          />
        </Detail>
      )}
    </Loaded>
  );
}
