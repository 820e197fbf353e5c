/** What console and portal share of applications. */
import { type Schemas, client, done, ifMatch } from "@gateline/api-client";
import { useQueryClient } from "@tanstack/react-query";
import { ConfirmButton } from "./dialog";
import { FormPanel, TextArea, TextField, useForm, useGo } from "./form";
import { nameOf } from "./format";

/** The form of a new application. */
export function ApplicationForm(props: { cancel: string; after: (id: string) => void }) {
  const queries = useQueryClient();
  const form = useForm({
    initial: { title: "", name: "", description: "" },
    send: async (body) => done(await client.POST("/api/v1/applications", { body })),
    after: async ({ id }) => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/applications"] });
      props.after(id);
    },
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Create application" cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        help="What you call the program."
        value={values.title}
        set={(title) => set(values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField label="Name" pointer="/name" mono help="Lower-case letters, digits and hyphens." value={values.name} set={(name) => set({ name })} />
      <TextArea label="Description" optional pointer="/description" value={values.description} set={(description) => set({ description })} />
    </FormPanel>
  );
}

/** What can be done with an application. */
export function ApplicationActions(props: { application: Schemas["Application"]; list: string }) {
  const { application } = props;
  const go = useGo();
  return (
    <ConfirmButton
      label="Delete"
      title={`Delete ${application.title}?`}
      onConfirm={async () => {
        await client.DELETE("/api/v1/applications/{id}", { params: { path: { id: application.id }, header: ifMatch(application) } });
        go(props.list);
      }}
    >
      Its keys stop to work within a second and its subscriptions end. What it used stays counted.
    </ConfirmButton>
  );
}
