import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, List, State, Time } from "@gateline/ui";
import { AlertHead } from "./section-head";
import { kinds } from "./alert-rule-form";
import { Severity } from "./alerts";

type Rule = Schemas["AlertRule"];

/** What is watched. */
export default function AlertRules() {
  const create = (
    <ButtonLink to="/alerts/rules/new" kind="primary">
      Add a rule
    </ButtonLink>
  );
  return (
    <>
      <AlertHead text="What must not be, judged several times a minute by what was counted." actions={create} />
      <List<Rule>
        label="Alert rules"
        load={({ q, cursor }) => ({ ...read("/api/v1/alert-rules", { params: { query: { q, cursor } } }), refetchInterval: 5000 })}
        searchable
        to={(rule) => `/alerts/rules/${rule.id}`}
        columns={[
          { title: "Title", wide: true, cell: (rule) => <span className="font-medium">{rule.title}</span> },
          { title: "Watches", minor: true, cell: (rule) => kinds[rule.condition.kind] },
          { title: "Severity", cell: (rule) => <Severity of={rule.severity ?? "warning"} /> },
          { title: "State", cell: (rule) => <State of={rule.paused ? "paused" : rule.firing > 0 ? "firing" : rule.evaluation_error ? "undecided" : "fine"} /> },
          { title: "Tells", minor: true, cell: (rule) => rule.channels?.join(", ") || "nobody" },
          { title: "Judged", minor: true, cell: (rule) => <Time at={rule.evaluated_at} never="Not yet" /> },
        ]}
        empty={{
          title: "Nothing is watched yet",
          text: (
            <>
              <p>A rule says what must not be: too many errors, a latency, an error budget, an hour that is not usual, a quota.</p>
              <Command text="gateline apply examples/alerts" />
            </>
          ),
          action: create,
        }}
      />
    </>
  );
}
