import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Detail, FormPanel, Loaded, TextArea, TextField, useForm, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";

/** Changes what people read of an API. */
export default function ApiEdit() {
  const id = useParam("id");
  const query = useQuery(read("/api/v1/apis/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(api) => (
        <Detail from={[`/apis/${id}`, api.title]} title="Change the API">
          <ApiForm api={api} />
        </Detail>
      )}
    </Loaded>
  );
}

function ApiForm({ api }: { api: Schemas["Api"] }) {
  const go = useGo();
  const queries = useQueryClient();
  const form = useForm({
    initial: { name: api.name, title: api.title, description: api.description ?? "", tags: api.tags?.join(", ") ?? "" },
    send: async (values) => {
      const tags = values.tags.split(",").map((tag) => tag.trim());
      const body = { ...values, tags: tags.filter(Boolean) };
      return done(await client.PATCH("/api/v1/apis/{id}", { params: { path: { id: api.id }, header: ifMatch(api) }, body }));
    },
    after: async () => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/apis/{id}"] });
      go(`/apis/${api.id}`);
    },
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Save changes" cancel={`/apis/${api.id}`}>
      <TextField label="Title" pointer="/title" value={values.title} set={(title) => set({ title })} />
      <TextField label="Name" pointer="/name" mono help="Addresses of existing routes stay as they are." value={values.name} set={(name) => set({ name })} />
      <TextArea label="Description" optional pointer="/description" help="CommonMark." rows={8} value={values.description} set={(description) => set({ description })} />
      <TextField label="Tags" optional pointer="/tags" help="Words to find it by, with commas between them." value={values.tags} set={(tags) => set({ tags })} />
    </FormPanel>
  );
}
