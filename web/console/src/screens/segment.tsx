import { client, done, ifMatch, read } from "@gateline/api-client";
import { Badge, ButtonLink, ConfirmButton, Copyable, Detail, FormPanel, Loaded, Markdown, Panel, Section, Time, useForm, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { AttributesField, known, rowsOf } from "../flags/attributes";
import { ConditionTree } from "../flags/condition-tree";
import { type Segment, attributesIn } from "../flags/model";

/** One segment: who is in it, and whether somebody is. */
export default function SegmentScreen() {
  const id = useParam("id");
  const go = useGo();
  const query = useQuery(read("/api/v1/segments/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(segment) => (
        <Detail
          from={["/segments", "Segments"]}
          title={segment.title || segment.key}
          actions={
            <>
              <ButtonLink to={`/segments/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete ${segment.key}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/segments/{id}", { params: { path: { id }, header: ifMatch(segment) } });
                  go("/segments");
                }}
              >
                A segment that a flag or another segment names cannot be deleted; you are told which.
              </ConfirmButton>
            </>
          }
          facts={[
            ["Key", <Copyable key="key" text={segment.key} />],
            ["Changed", <Time key="changed" at={segment.updated_at} />],
            ["Made", <Time key="made" at={segment.created_at} />],
            ["Id", <Copyable key="id" text={segment.id} />],
            ...(segment.managed_by ? [["Kept in the folder", segment.managed_by] as [string, string]] : []),
          ]}
        >
          {segment.description && <Markdown text={segment.description} />}
          <div className="mt-8 grid gap-8 first:mt-0 xl:grid-cols-[minmax(0,1fr)_22rem]">
            <Section title="Who is in it">
              <Panel>
                <ConditionTree condition={segment.when} pointer="/when" steps={[]} />
              </Panel>
            </Section>
            <TryIt key={segment.revision} segment={segment} />
          </div>
        </Detail>
      )}
    </Loaded>
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
