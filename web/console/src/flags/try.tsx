/** What somebody would get: their attributes in, the answer and every step out. */
import { client, done } from "@gateline/api-client";
import { Badge, FormPanel, TextField, momentOf, useForm } from "@gateline/ui";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { type AttributeRow, AttributesField, known, rowsOf } from "./attributes";
import { type Asked, useAsked } from "./asked";
import { type Explanation, type Flag, type Targeting, attributesOf } from "./model";
import { reasonInWords } from "./words";

/** Asks for the flag on behalf of somebody. */
export function useTrial(flag: Flag, environment: string) {
  const mutation = useMutation({
    mutationFn: async ({ rows, at }: { rows: AttributeRow[]; at: string }) => {
      const moment = momentOf({ ends: "at", at });
      const body = { environment, attributes: known(rows), ...(at && moment ? { at: moment } : {}) };
      return done(await client.POST("/api/v1/feature-flags/{id}/try", { params: { path: { id: flag.id } }, body }));
    },
  });
  // The steps speak of the flag as it was asked.
  const current = mutation.data && mutation.data.flag_version === flag.revision ? mutation.data : undefined;
  return { ask: mutation.mutateAsync, answer: current };
}

/** Who was asked about elsewhere, and what else matters here; nobody if nobody was. */
function rowsFrom(asked: Asked | undefined, targeting: Targeting): AttributeRow[] {
  const rows = rowsOf(attributesOf(targeting));
  if (!asked) return rows;
  const given = asked.rows.filter((row) => row.name !== "");
  return [...given, ...rows.filter((row) => !given.some((each) => each.name === row.name))];
}

/** The form and the answer. */
export function TryIt(props: { targeting: Targeting; trial: ReturnType<typeof useTrial> }) {
  const { trial, targeting } = props;
  const asked = useAsked();
  const form = useForm({
    initial: { rows: rowsFrom(asked, targeting), at: asked?.at ?? "" },
    send: trial.ask,
    after: () => undefined,
  });
  // Who comes from the answers for one person wants to know why.
  const begun = useRef(false);
  useEffect(() => {
    if (!asked || begun.current) return;
    begun.current = true;
    void form.submit();
  });
  const { values, set } = form;
  return (
    <section aria-labelledby="try-it" className="rounded-lg border border-line bg-surface p-4">
      <h2 id="try-it" className="text-lg">
        Try it
      </h2>
      <p className="mb-3 text-sm text-ink-2">What would they get, and why? What is left empty is not known. Nothing is recorded.</p>
      <FormPanel form={form} submit="Try it" unguarded>
        <AttributesField rows={values.rows} set={(rows) => set({ rows })} />
        <TextField label="When" optional pointer="/at" type="datetime-local" help="Now, if empty." value={values.at} set={(at) => set({ at })} />
      </FormPanel>
      <div aria-live="polite">{trial.answer && <Answer of={trial.answer} />}</div>
    </section>
  );
}

function Answer({ of: answer }: { of: Explanation }) {
  return (
    <div className="mt-4 border-t border-line pt-3" role="group" aria-label="Answer">
      <p className="flex flex-wrap items-center gap-2">
        They get <code className="text-lg font-semibold">{answer.variant}</code>
        <Badge tone={answer.enabled ? "ok" : "neutral"}>{answer.enabled ? "on" : "off"}</Badge>
      </p>
      <p className="mt-1 text-ink-2">
        {reasonInWords(answer.reason)[1]} {answer.rule && <>The rule is {answer.rule}.</>} What was looked at is marked at each part.
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
