import { client, done, ifMatch, read } from "@gateline/api-client";
import { ActionButton, ButtonLink, ConfirmButton, Copyable, Detail, Loaded, Markdown, Section, State, Time, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Found, kinds } from "./alert-rule-form";
import { AlertList, Severity } from "./alerts";

/** One rule: what it finds now, and what it found. */
export default function AlertRuleScreen() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery({ ...read("/api/v1/alert-rules/{id}", { params: { path: { id } } }), refetchInterval: 5000 });
  return (
    <Loaded query={query}>
      {(rule) => (
        <Detail
          from={["/alerts/rules", "Rules"]}
          title={rule.title}
          actions={
            <>
              <ButtonLink to={`/alerts/rules/${id}/edit`}>Change</ButtonLink>
              <ActionButton
                label={rule.paused ? "Go on" : "Pause"}
                act={async () => {
                  done(await client.PATCH("/api/v1/alert-rules/{id}", { params: { path: { id }, header: ifMatch(rule) }, body: { paused: !rule.paused } }));
                  await queries.invalidateQueries({ queryKey: ["/api/v1/alert-rules/{id}"] });
                }}
              />
              <ConfirmButton
                label="Delete"
                title={`Delete the rule ${rule.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/alert-rules/{id}", { params: { path: { id }, header: ifMatch(rule) } });
                  go("/alerts/rules");
                }}
              >
                Its alerts end, and nobody is told that they do. What it found stays for 90 days.
              </ConfirmButton>
            </>
          }
          facts={[
            ["State", <State key="state" of={rule.paused ? "paused" : rule.firing > 0 ? "firing" : rule.evaluation_error ? "undecided" : "fine"} />],
            ["Severity", <Severity key="severity" of={rule.severity ?? "warning"} />],
            ["Watches", kinds[rule.condition.kind]],
            ["Tells", rule.channels?.join(", ") || "nobody"],
            ["Judged", <Time key="judged" at={rule.evaluated_at} never="Not yet" />],
            ["Id", <Copyable key="id" text={rule.id} />],
          ]}
        >
          {rule.evaluation_error && <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">{rule.evaluation_error}</p>}
          {rule.description && <Markdown text={rule.description} />}
          <Section title="Now">
            <Found condition={rule.condition} />
          </Section>
          <Section title="Alerts">
            <AlertList rule={id} />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}
