import type { Schemas } from "@gateline/api-client";
import { FormPanel, SelectField, TextArea, TextField, useForm } from "@gateline/ui";

type Spec = Schemas["EventTypeSpec"];
/** An event type as the API wants it; `null` removes the schema when a type is changed. */
export type EventTypeChange = Pick<Required<Spec>, "name" | "title" | "description" | "state"> & { schema: Record<string, never> | null };

/** What is typed as a schema; text that is no JSON object is sent as it is, so that the API says what is wrong with it. */
function schemaOf(text: string): EventTypeChange["schema"] {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text) as Record<string, never>;
  } catch {
    return text as unknown as Record<string, never>;
  }
}

/** The form of an event type, new or changed. */
export function EventForm(props: {
  type?: Spec;
  submit: string;
  cancel: string;
  send: (spec: EventTypeChange) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const { type } = props;
  const form = useForm({
    initial: {
      name: type?.name ?? "",
      title: type?.title ?? "",
      description: type?.description ?? "",
      schema: type?.schema ? JSON.stringify(type.schema, null, 2) : "",
      state: type?.state ?? "active",
    },
    send: ({ schema, state, ...values }) => props.send({ ...values, state: state as Schemas["EventTypeState"], schema: schemaOf(schema) }),
    after: (made) => props.after(made.id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      {!type && (
        <TextField
          label="Name"
          pointer="/name"
          mono
          help="What events say in `type`: letters, digits, _ - . and :. It cannot be changed."
          value={values.name}
          set={(name) => set(values.title === values.name ? { name, title: name } : { name })}
        />
      )}
      <TextField label="Title" pointer="/title" help="What people read." value={values.title} set={(title) => set({ title })} />
      <TextArea
        label="Description"
        optional
        pointer="/description"
        help="When it happens, and what its properties mean. CommonMark."
        value={values.description}
        set={(description) => set({ description })}
      />
      <TextArea
        label="Schema of the properties"
        optional
        mono
        rows={10}
        pointer="/schema"
        help="JSON Schema. Events that do not satisfy it are refused, with the place. Empty: anything goes."
        value={values.schema}
        set={(schema) => set({ schema })}
      />
      {type && (
        <SelectField
          label="State"
          pointer="/state"
          help="Events of an archived type are refused; what was counted stays."
          value={values.state}
          set={(state) => set({ state: state as typeof values.state })}
          options={[
            ["active", "Active"],
            ["archived", "Archived"],
          ]}
        />
      )}
    </FormPanel>
  );
}
