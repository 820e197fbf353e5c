/** What console and portal share of applications. */
import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParam } from "./app";
import { ButtonLink } from "./button";
import { Detail } from "./detail";
import { ConfirmButton } from "./dialog";
import { FormPanel, TextArea, TextField, useForm, useGo } from "./form";
import { nameOf } from "./format";
import { Loaded } from "./page";

type Application = Schemas["Application"];

/** The form of an application, new or changed. */
export function ApplicationForm(props: { application?: Application; cancel: string; after: (id: string) => void }) {
  const { application } = props;
  const queries = useQueryClient();
  const form = useForm({
    initial: { title: application?.title ?? "", name: application?.name ?? "", description: application?.description ?? "" },
    send: async (body) => {
      if (!application) return done(await client.POST("/api/v1/applications", { body }));
      const params = { path: { id: application.id }, header: ifMatch(application) };
      return done(await client.PATCH("/api/v1/applications/{id}", { params, body }));
    },
    after: async ({ id }) => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/applications"] });
      await queries.invalidateQueries({ queryKey: ["/api/v1/applications/{id}"] });
      props.after(id);
    },
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={application ? "Save changes" : "Create application"} cancel={props.cancel}>
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
export function ApplicationActions(props: { application: Application; list: string }) {
  const { application } = props;
  const go = useGo();
  return (
    <>
      <ButtonLink to={`${props.list}/${application.id}/edit`}>Change</ButtonLink>
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
    </>
  );
}

/** Changes an application, below its own address. */
export function ApplicationEdit({ list }: { list: string }) {
  const id = useParam("id");
  const go = useGo();
  const query = useQuery(read("/api/v1/applications/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(application) => (
        <Detail from={[`${list}/${id}`, application.title]} title="Change the application">
          <ApplicationForm key={application.revision} application={application} cancel={`${list}/${id}`} after={() => go(`${list}/${id}`)} />
        </Detail>
      )}
    </Loaded>
  );
}
