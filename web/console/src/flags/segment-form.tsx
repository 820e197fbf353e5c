/** The form of a segment, new or changed. */
import { FormPanel, TextArea, TextField, useForm } from "@gateline/ui";
import { WhenEditor } from "./editor/condition";
import { AttributeNames } from "./editor/small";
import { type Condition, type Segment, attributesIn } from "./model";

/** What the form sends. */
export interface SegmentChange {
  key: string;
  title: string;
  description: string;
  /** Absent as long as nothing is said, which the API refuses. */
  when: Condition | undefined;
}

/** The form. */
export function SegmentForm(props: {
  segment?: Segment;
  submit: string;
  cancel: string;
  send: (change: SegmentChange) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const { segment } = props;
  const form = useForm({
    initial: {
      key: segment?.key ?? "",
      title: segment?.title ?? "",
      description: segment?.description ?? "",
      when: (segment ? segment.when : { attribute: "", op: "in", values: [] }) as Condition | undefined,
    },
    send: props.send,
    after: (made) => props.after(made.id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel} wide>
      <div className="max-w-2xl space-y-5">
        {!segment && (
          <TextField
            label="Key"
            pointer="/key"
            mono
            placeholder="beta-testers"
            help="What conditions name: letters, digits, - _ . and ~. It cannot be changed."
            value={values.key}
            set={(key) => set({ key })}
          />
        )}
        <TextField label="Title" optional pointer="/title" help="What people read." value={values.title} set={(title) => set({ title })} />
        <TextArea
          label="Description"
          optional
          pointer="/description"
          help="Who they are, and where that is known from. CommonMark."
          rows={3}
          value={values.description}
          set={(description) => set({ description })}
        />
      </div>
      <section aria-labelledby="inside">
        <h2 id="inside" className="mb-2 text-lg">
          Who is in it
        </h2>
        <WhenEditor when={values.when} set={(when) => set({ when })} pointer="/when" everybody="Nothing is said yet: add a condition." />
      </section>
      <AttributeNames used={attributesIn(values.when)} />
    </FormPanel>
  );
}
