import { type Schemas, client, done, read } from "@gateline/api-client";
import { Button, ChoiceField, FormPanel, ProblemNote, SelectField, State, Table, TextArea, TextField, count, nameOf, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { filtersOf } from "../filters";

type Spec = Schemas["AlertRuleSpec"];
type Condition = Schemas["AlertCondition"];
type Kind = Condition["kind"];

/** What a condition is about, in words. */
export const kinds: Record<Kind, string> = {
  threshold: "A measure over or under a number",
  burn_rate: "An error budget that is spent too fast",
  anomaly: "An hour that is not usual",
  quota: "A quota that is nearly used up",
};

const measures: [Schemas["Measure"], string][] = [
  ["error_rate", "Error rate (0.05 is 5 %)"],
  ["server_errors", "Server errors"],
  ["client_errors", "Client errors"],
  ["refused", "Refused calls"],
  ["calls", "Calls"],
  ["counted", "Counted calls"],
  ["latency_p50_us", "Latency, median (µs)"],
  ["latency_p90_us", "Latency, 90 % (µs)"],
  ["latency_p95_us", "Latency, 95 % (µs)"],
  ["latency_p99_us", "Latency, 99 % (µs)"],
  ["latency_total_us", "Time of all calls (µs)"],
  ["latency_mean_us", "Latency, mean (µs)"],
  ["bytes_in", "Bytes of requests"],
  ["bytes_out", "Bytes of answers"],
  ["applications", "Applications that called"],
];

const dimensions: [Schemas["Dimension"] | "", string][] = [
  ["", "All calls together"],
  ["api", "Each API"],
  ["version", "Each version"],
  ["operation", "Each operation"],
  ["consumer", "Each consumer"],
  ["application", "Each application"],
  ["plan", "Each plan"],
  ["status", "Each status"],
];

const numberOf = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));

/** What the fields of the form hold. */
function fieldsOf(condition: Condition | undefined) {
  const filters = condition && "filters" in condition ? condition.filters : undefined;
  return {
    kind: condition?.kind ?? ("threshold" as Kind),
    measure: condition && "measure" in condition ? condition.measure : ("error_rate" as Schemas["Measure"]),
    by: condition?.kind === "threshold" ? (condition.by?.[0] ?? "") : "",
    window_minutes: condition?.kind === "threshold" ? String(condition.window_minutes) : "5",
    over: condition?.kind === "threshold" ? String(condition.over ?? "") : "0.05",
    under: condition?.kind === "threshold" ? String(condition.under ?? "") : "",
    calls_min: condition && "calls_min" in condition ? String(condition.calls_min ?? 0) : "20",
    objective: condition?.kind === "burn_rate" ? String(condition.objective) : "0.999",
    side: condition?.kind === "anomaly" ? (condition.side ?? "both") : "both",
    confidence: condition?.kind === "anomaly" ? String(condition.confidence ?? 0.999) : "0.999",
    percent: condition?.kind === "quota" ? String(condition.percent) : "80",
    own: condition?.kind === "quota" && condition.own ? "own" : "others",
    filters: filters && filters.length > 0 ? JSON.stringify(filters, null, 2) : "",
  };
}

type Fields = ReturnType<typeof fieldsOf>;

/** The condition that the fields stand for; parts without a field stay as they were. */
function conditionOf(fields: Fields, before: Condition | undefined): Condition {
  const filters = filtersOf(fields.filters);
  const calls_min = numberOf(fields.calls_min) ?? 0;
  switch (fields.kind) {
    case "threshold": {
      const further = before?.kind === "threshold" ? (before.by ?? []).slice(1) : [];
      const by = fields.by ? [fields.by as Schemas["Dimension"], ...further] : [];
      const [over, under] = [numberOf(fields.over), numberOf(fields.under)];
      return {
        kind: "threshold",
        measure: fields.measure,
        filters,
        by,
        window_minutes: numberOf(fields.window_minutes) ?? 0,
        calls_min,
        ...(over !== undefined && { over }),
        ...(under !== undefined && { under }),
      };
    }
    case "burn_rate": {
      const windows = before?.kind === "burn_rate" ? before.windows : undefined;
      return { kind: "burn_rate", objective: numberOf(fields.objective) ?? 0, filters, ...(windows && { windows }) };
    }
    case "anomaly":
      return {
        kind: "anomaly",
        measure: fields.measure,
        filters,
        side: fields.side as Schemas["AnomalySide"],
        confidence: numberOf(fields.confidence) ?? 0,
        calls_min,
      };
    case "quota":
      return { kind: "quota", percent: numberOf(fields.percent) ?? 0, own: fields.own === "own" };
  }
}

/** What a condition finds now. */
export function Found({ condition }: { condition: Condition }) {
  const query = useQuery({
    queryKey: ["/api/v1/alert-rules/preview", condition],
    queryFn: async ({ signal }) => done(await client.POST("/api/v1/alert-rules/preview", { body: condition, signal })),
    refetchInterval: 10_000,
    retry: false,
  });
  if (query.error) return <ProblemNote error={query.error} />;
  if (!query.data) return <p className="text-ink-2">Looking …</p>;
  const { found, undecided } = query.data;
  if (undecided) return <p className="text-ink-2">{undecided}</p>;
  if (found.length === 0) return <p className="text-ink-2">There are no such calls at present.</p>;
  return (
    <Table<Schemas["Outlook"] & { id: string }>
      label="What is found now"
      rows={found.map((outlook) => ({ ...outlook, id: Object.values(outlook.labels).join(" ") }))}
      columns={[
        { title: "State", cell: (outlook) => <State of={outlook.breached ? "firing" : "fine"} /> },
        { title: "What", wide: true, cell: (outlook) => outlook.summary },
      ]}
    />
  );
}

/** The form of a rule, new or changed. */
export function AlertRuleForm(props: {
  rule?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const { rule } = props;
  const [tried, setTried] = useState<Condition>();
  const channels = useQuery(read("/api/v1/alert-channels", { params: { query: { limit: 200 } } }));
  const form = useForm({
    initial: {
      name: rule?.name ?? "",
      title: rule?.title ?? "",
      description: rule?.description ?? "",
      severity: rule?.severity ?? ("warning" as Schemas["AlertSeverity"]),
      for_minutes: String(rule?.for_minutes ?? 0),
      repeat_minutes: String(rule?.repeat_minutes ?? ""),
      channels: rule?.channels ?? ([] as string[]),
      ...fieldsOf(rule?.condition),
    },
    send: (values) => {
      const { name, title, description, severity } = values;
      const repeat_minutes = numberOf(values.repeat_minutes);
      return props.send({
        name,
        title,
        description,
        severity,
        channels: values.channels,
        for_minutes: numberOf(values.for_minutes) ?? 0,
        ...(repeat_minutes !== undefined && { repeat_minutes }),
        paused: rule?.paused ?? false,
        condition: conditionOf(values, rule?.condition),
      });
    },
    after: (made) => props.after(made.id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        help="What people read."
        value={values.title}
        set={(title) => set(!rule && values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      {!rule && <TextField label="Name" pointer="/name" mono value={values.name} set={(name) => set({ name })} />}
      <SelectField
        label="What is watched"
        pointer="/condition/kind"
        value={values.kind}
        set={(kind) => set({ kind: kind as Kind })}
        options={Object.entries(kinds)}
      />
      <ConditionFields values={values} set={set} />
      <div>
        <Button onClick={() => setTried(conditionOf(values, rule?.condition))}>See what it finds now</Button>
        {tried && (
          <div className="mt-3">
            <Found condition={tried} />
          </div>
        )}
      </div>
      <SelectField
        label="Severity"
        pointer="/severity"
        value={values.severity}
        set={(severity) => set({ severity: severity as Schemas["AlertSeverity"] })}
        options={[
          ["info", "Info: good to know"],
          ["warning", "Warning: look at it in working hours"],
          ["critical", "Critical: look at it now"],
        ]}
      />
      <TextField
        label="For how many minutes"
        pointer="/for_minutes"
        type="number"
        help="It is told after it was so for so long, and that it is over after it was not for as long."
        value={values.for_minutes}
        set={(for_minutes) => set({ for_minutes })}
      />
      <ChoiceField
        label="Who is told"
        help="Nobody, if none is chosen; it is shown all the same."
        options={(channels.data?.data ?? []).map((channel) => ({ value: channel.name, title: channel.title, text: channel.name }))}
        chosen={values.channels}
        set={(chosen) => set({ channels: chosen })}
      />
      <TextField
        label="Tell again after so many minutes"
        optional
        pointer="/repeat_minutes"
        type="number"
        value={values.repeat_minutes}
        set={(repeat_minutes) => set({ repeat_minutes })}
      />
      <TextArea
        label="Description"
        optional
        pointer="/description"
        help="What it means and what to do; those who are told read it. CommonMark."
        value={values.description}
        set={(description) => set({ description })}
      />
    </FormPanel>
  );
}

/** The fields that a kind of condition has. */
function ConditionFields({ values, set }: { values: Fields; set: (change: Partial<Fields>) => void }) {
  const measure = (
    <SelectField
      label="Measure"
      pointer="/condition/measure"
      value={values.measure}
      set={(chosen) => set({ measure: chosen as Schemas["Measure"] })}
      options={values.kind === "anomaly" ? measures.filter(([name]) => name !== "applications") : measures}
    />
  );
  const number = (name: "window_minutes" | "over" | "under" | "calls_min" | "objective" | "confidence" | "percent", label: string, help?: string, optional = false) => (
    <TextField label={label} optional={optional} help={help} pointer={`/condition/${name}`} value={values[name]} set={(text) => set({ [name]: text })} />
  );
  const callsMin = number("calls_min", "At least so many calls", "One error of one call is a rate of 1.");
  const filters = (
    <TextArea
      label="Which calls"
      optional
      mono
      rows={4}
      pointer="/condition/filters"
      help={
        <>
          As analytics takes it: <code>{'[{"dimension": "api", "values": ["shop"]}]'}</code>. Empty: all of them.
        </>
      }
      value={values.filters}
      set={(text) => set({ filters: text })}
    />
  );
  switch (values.kind) {
    case "threshold":
      return (
        <>
          {measure}
          {number("over", "Must not be more than", undefined, true)}
          {number("under", "Must not be less than", undefined, true)}
          {number("window_minutes", "In the last so many minutes", `1 to ${count(1440)}.`)}
          {callsMin}
          <SelectField
            label="Of what"
            pointer="/condition/by"
            help="Each has an alert of its own."
            value={values.by}
            set={(by) => set({ by: by as Fields["by"] })}
            options={dimensions}
          />
          {filters}
        </>
      );
    case "burn_rate":
      return (
        <>
          {number("objective", "Objective", "The share of calls that must be without a server error: 0.999 is 99.9 % in 30 days.")}
          {filters}
        </>
      );
    case "anomaly":
      return (
        <>
          {measure}
          <SelectField
            label="Which values"
            pointer="/condition/side"
            value={values.side}
            set={(side) => set({ side: side as Fields["side"] })}
            options={[
              ["both", "Too high or too low"],
              ["high", "Too high"],
              ["low", "Too low"],
            ]}
          />
          {number("confidence", "How sure", "0.9 to 0.9999. Of so many usual hours, this share is not told.")}
          {callsMin}
          {filters}
        </>
      );
    case "quota":
      return (
        <>
          {number("percent", "Percent of the quota", "Each subscription has an alert of its own.")}
          <SelectField
            label="Whose"
            pointer="/condition/own"
            value={values.own}
            set={(own) => set({ own })}
            options={[
              ["others", "Subscriptions to our products"],
              ["own", "Subscriptions of our applications"],
            ]}
          />
        </>
      );
  }
}
