/** What somebody would get: their attributes in, the answer and every step out. */
import { client, done } from "@gateline/api-client";
import { Badge, FormPanel, RowList, TextField, momentOf, useForm, useWrong } from "@gateline/ui";
import { useMutation } from "@tanstack/react-query";
import { useId } from "react";
import { type Explanation, type Flag, type Targeting, UNIT, attributesOf } from "./model";

interface Row {
  name: string;
  text: string;
}

/** The most attributes that are offered at first. */
const OFFERED_MAX = 8;

const rowsOf = (targeting: Targeting): Row[] => {
  const names = attributesOf(targeting).slice(0, OFFERED_MAX);
  return (names.length > 0 ? names : [UNIT]).map((name) => ({ name, text: "" }));
};

/** An attribute as it is sent: `[` begins a list, everything else is a text, which is compared with numbers as well. */
export function attributeOf(text: string): unknown {
  if (!text.startsWith("[")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What is not filled in is not known. */
const attributesIn = (rows: Row[]): Record<string, never> =>
  Object.fromEntries(rows.filter((row) => row.name !== "" && row.text !== "").map((row) => [row.name, attributeOf(row.text)])) as Record<string, never>;

/** Asks for the flag on behalf of somebody. */
export function useTrial(flag: Flag, environment: string) {
  const mutation = useMutation({
    mutationFn: async ({ rows, at }: { rows: Row[]; at: string }) => {
      const moment = momentOf({ ends: "at", at });
      const body = { environment, attributes: attributesIn(rows), ...(at && moment ? { at: moment } : {}) };
      return done(await client.POST("/api/v1/feature-flags/{id}/try", { params: { path: { id: flag.id } }, body }));
    },
  });
  // The steps speak of the flag as it was asked.
  const current = mutation.data && mutation.data.flag_version === flag.revision ? mutation.data : undefined;
  return { ask: mutation.mutateAsync, answer: current };
}

/** The form and the answer. */
export function TryIt(props: { targeting: Targeting; trial: ReturnType<typeof useTrial> }) {
  const { trial, targeting } = props;
  const form = useForm({
    initial: { rows: rowsOf(targeting), at: "" },
    send: trial.ask,
    after: () => undefined,
  });
  const { values, set } = form;
  const change = (index: number, row: Partial<Row>) => set({ rows: values.rows.map((each, place) => (place === index ? { ...each, ...row } : each)) });
  return (
    <section aria-labelledby="try-it" className="rounded-lg border border-line bg-surface p-4">
      <h2 id="try-it" className="text-lg">
        Try it
      </h2>
      <p className="mb-3 text-sm text-ink-2">What would they get, and why? What is left empty is not known. Nothing is recorded.</p>
      <FormPanel form={form} submit="Try it" unguarded>
        <fieldset>
          <legend className="mb-1 font-medium">What is known of them</legend>
          <RowList
            label="attributes"
            count={values.rows.length}
            remove={(index) => set({ rows: values.rows.filter((_, place) => place !== index) })}
            add={() => set({ rows: [...values.rows, { name: "", text: "" }] })}
            row={(index) => <AttributeRow row={values.rows[index] ?? { name: "", text: "" }} index={index} change={(row) => change(index, row)} />}
          />
          <p className="mt-1.5 text-sm text-ink-2">
            A list is written as <code>[&quot;a&quot;, &quot;b&quot;]</code>.
          </p>
        </fieldset>
        <TextField label="When" optional pointer="/at" type="datetime-local" help="Now, if empty." value={values.at} set={(at) => set({ at })} />
      </FormPanel>
      <div aria-live="polite">{trial.answer && <Answer of={trial.answer} />}</div>
    </section>
  );
}

function AttributeRow(props: { row: Row; index: number; change: (row: Partial<Row>) => void }) {
  const { row, index } = props;
  const id = useId();
  const wrong = useWrong(`/attributes/${row.name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
  return (
    <div className="min-w-0 flex-1">
      <div className="grid grid-cols-2 gap-2">
        <input
          aria-label={`Attribute ${index + 1}: name`}
          className="input font-mono text-sm"
          autoComplete="off"
          spellCheck={false}
          placeholder="Name"
          value={row.name}
          onChange={(event) => props.change({ name: event.target.value })}
        />
        <input
          aria-label={row.name ? `Value of ${row.name}` : `Attribute ${index + 1}: value`}
          aria-invalid={wrong !== undefined}
          aria-describedby={id}
          className="input font-mono text-sm"
          autoComplete="off"
          spellCheck={false}
          placeholder="Not known"
          value={row.text}
          onChange={(event) => props.change({ text: event.target.value })}
        />
      </div>
      <p id={id} className="text-sm text-bad empty:hidden">
        {wrong}
      </p>
    </div>
  );
}

const reasons: Record<string, string> = {
  static: "Everybody gets it.",
  targeting_match: "A rule or an override is for them.",
  split: "They are in that part of a split.",
  default: "No rule was for them.",
  disabled: "The flag is off.",
  prerequisite_failed: "Another flag does not give what this one needs.",
  unit_missing: "The attribute that the split goes by is not known.",
};

function Answer({ of: answer }: { of: Explanation }) {
  return (
    <div className="mt-4 border-t border-line pt-3" role="group" aria-label="Answer">
      <p className="flex flex-wrap items-center gap-2">
        They get <code className="text-lg font-semibold">{answer.variant}</code>
        <Badge tone={answer.enabled ? "ok" : "neutral"}>{answer.enabled ? "on" : "off"}</Badge>
      </p>
      <p className="mt-1 text-ink-2">
        {reasons[answer.reason] ?? answer.reason} {answer.rule && <>The rule is {answer.rule}.</>} What was looked at is marked at each part.
      </p>
      <dl className="mt-2 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 text-sm">
        <dt className="text-ink-2">Value</dt>
        <dd className="break-words">
          <code>{JSON.stringify(answer.value)}</code>
        </dd>
        <dt className="text-ink-2">Reason</dt>
        <dd>
          <code>{answer.reason}</code>
        </dd>
        <dt className="text-ink-2">Version</dt>
        <dd>{answer.flag_version}</dd>
        {answer.assignment_id && (
          <>
            <dt className="text-ink-2">Assignment</dt>
            <dd className="break-words">
              <code>{answer.assignment_id}</code>
            </dd>
          </>
        )}
      </dl>
    </div>
  );
}
