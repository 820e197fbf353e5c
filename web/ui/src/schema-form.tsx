/** A value of a JSON Schema, as a form or as JSON: two views of the same value. */
import { useId, useMemo } from "react";
import { Button } from "./button";
import { type Draft, parsed, print } from "./draft";
import { useAllWrong, useWrong } from "./form";
import { shapeOf } from "./schema";
import { Properties, SchemaField } from "./schema-fields";
import { Said } from "./text";

/** The form of a value, with its JSON as the other view. */
export function SchemaForm(props: { schema: unknown; draft: Draft; set: (draft: Draft) => void; pointer: string; label: string }) {
  const { draft, set } = props;
  const shape = useMemo(() => shapeOf(props.schema), [props.schema]);
  const id = useId();
  const read = draft.text === undefined ? undefined : parsed(draft.text);
  const views = [
    { title: "Form", shown: draft.text === undefined, show: () => read && "value" in read && set({ value: read.value }) },
    { title: "JSON", shown: draft.text !== undefined, show: () => draft.text === undefined && set({ ...draft, text: print(draft.value) }) },
  ];
  const common = { value: draft.value, set: (value: unknown) => set({ value }), pointer: props.pointer, label: props.label, required: true };
  return (
    <section aria-labelledby={id} className="rounded-lg border border-line-strong">
      <div className="flex items-center justify-between gap-2 rounded-t-lg border-b border-line bg-sunken px-4 py-2">
        <h2 id={id} className="font-medium">
          {props.label}
        </h2>
        <div role="group" aria-label={`Show ${props.label.toLowerCase()} as`} className="flex gap-1">
          {views.map((view) => (
            <Button
              key={view.title}
              small
              kind={view.shown ? "secondary" : "plain"}
              aria-pressed={view.shown}
              disabled={view.title === "Form" && read !== undefined && "wrong" in read}
              onClick={view.show}
            >
              {view.title}
            </Button>
          ))}
        </div>
      </div>
      <div className="space-y-5 p-4">
        {draft.text !== undefined ? (
          <JsonView {...props} text={draft.text} wrong={read && "wrong" in read ? read.wrong : undefined} />
        ) : (
          <>
            <Whole pointer={props.pointer} />
            {shape.kind === "group" ? <Properties {...common} shape={shape} /> : <SchemaField {...common} bare shape={shape} />}
          </>
        )}
      </div>
    </section>
  );
}

/** What is wrong with the value as a whole. */
function Whole({ pointer }: { pointer: string }) {
  const wrong = useWrong(pointer);
  return (
    wrong && (
      <p className="text-bad" data-wrong="" tabIndex={-1}>
        <Said text={wrong} />
      </p>
    )
  );
}

function JsonView(props: { schema: unknown; set: (draft: Draft) => void; draft: Draft; text: string; wrong: string | undefined; pointer: string; label: string }) {
  const id = useId();
  const said = useAllWrong(props.pointer);
  // What is wrong with the text is seen while it is typed; the rest is what the API said of the text that was sent.
  const remarks = props.wrong ? [{ pointer: props.pointer, detail: props.wrong }] : said;
  return (
    <>
      <div>
        <textarea
          aria-label={`${props.label} as JSON`}
          aria-invalid={remarks.length > 0}
          aria-describedby={id}
          className="input font-mono text-sm"
          rows={Math.min(Math.max(props.text.split("\n").length + 1, 8), 24)}
          spellCheck={false}
          value={props.text}
          onChange={(event) => {
            const read = parsed(event.target.value);
            props.set({ value: "value" in read ? read.value : props.draft.value, text: event.target.value });
          }}
        />
        <ul id={id} className="mt-1 space-y-0.5 text-sm text-bad empty:hidden">
          {remarks.map((remark) => (
            <li key={remark.pointer + remark.detail} className="break-words">
              {remark.pointer !== props.pointer && <code>{remark.pointer.slice(props.pointer.length)} </code>}
              <Said text={remark.detail} />
            </li>
          ))}
        </ul>
      </div>
      <details className="text-sm">
        <summary className="w-fit text-ink-2 hover:text-ink">Schema</summary>
        <pre className="mt-2 max-h-80 overflow-auto rounded-md border border-line bg-sunken p-3" tabIndex={0} role="region" aria-label="Schema">
          {print(props.schema)}
        </pre>
      </details>
    </>
  );
}
