import { client, done } from "@gateline/api-client";
import { Badge, FormPanel, Markdown, Panel, Section, useForm } from "@gateline/ui";
import { useState } from "react";
import { AttributesField, known, rowsOf } from "../flags/attributes";
import { ConditionTree } from "../flags/condition-tree";
import { type Segment, attributesIn } from "../flags/model";
import { SegmentFrame } from "../flags/segment-frame";
import { SegmentUses } from "../flags/segment-uses";

/** One segment: who is in it, and whether somebody is. */
export default function SegmentScreen() {
  return (
    <SegmentFrame>
      {(segment) => (
        <>
          {segment.description && <Markdown text={segment.description} />}
          <div className="mt-8 grid gap-8 first:mt-0 xl:grid-cols-[minmax(0,1fr)_22rem]">
            <Section title="Who is in it">
              <Panel>
                <ConditionTree condition={segment.when} pointer="/when" steps={[]} />
              </Panel>
            </Section>
            <TryIt key={segment.revision} segment={segment} />
          </div>
          <SegmentUses segment={segment} />
        </>
      )}
    </SegmentFrame>
  );
}

function TryIt({ segment }: { segment: Segment }) {
  const [inside, setInside] = useState<boolean>();
  const form = useForm({
    initial: { rows: rowsOf(attributesIn(segment.when)) },
    send: async ({ rows }) => {
      setInside(undefined);
      return done(await client.POST("/api/v1/segments/{id}/try", { params: { path: { id: segment.id } }, body: { attributes: known(rows) } }));
    },
    after: (answer) => setInside(answer.inside),
  });
  return (
    <section aria-labelledby="try-it" className="self-start rounded-lg border border-line bg-surface p-4">
      <h2 id="try-it" className="text-lg">
        Try it
      </h2>
      <p className="mb-3 text-sm text-ink-2">Are they in it? What is left empty is not known. Nothing is recorded.</p>
      <FormPanel form={form} submit="Try it" unguarded>
        <AttributesField rows={form.values.rows} set={(rows) => form.set({ rows })} />
      </FormPanel>
      <div aria-live="polite">
        {inside !== undefined && (
          <p role="group" aria-label="Answer" className="mt-4 border-t border-line pt-3">
            <Badge tone={inside ? "ok" : "neutral"}>{inside ? "They are in it" : "They are not in it"}</Badge>
          </p>
        )}
      </div>
    </section>
  );
}
