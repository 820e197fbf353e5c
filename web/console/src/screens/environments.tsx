import { type Schemas, client, done, read } from "@gateline/api-client";
import { Button, Command, Dialog, FormPanel, ListPage, TextField, Time, nameOf, useForm } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

type Environment = Schemas["Environment"];

/** Sandbox, production and the like. */
export default function Environments() {
  const [open, setOpen] = useState(false);
  const queries = useQueryClient();
  const create = (
    <Button kind="primary" onClick={() => setOpen(true)}>
      Add an environment
    </Button>
  );
  return (
    <>
      <ListPage<Environment>
        title="Environments"
        label="Environments"
        text="Keys and routes belong to one. Each gateway node serves the routes of one environment."
        actions={create}
        load={({ cursor }) => read("/api/v1/environments", { params: { query: { cursor } } })}
        columns={[
          { title: "Title", cell: (environment) => <span className="font-medium">{environment.title}</span> },
          { title: "Name", cell: (environment) => <code>{environment.name}</code> },
          { title: "Keys begin with", cell: (environment) => <code>gl_{environment.name}_</code> },
          { title: "Made", cell: (environment) => <Time at={environment.created_at} /> },
        ]}
        empty={{ title: "No environment", text: <Command text="gateline serve --roles gateway" />, action: create }}
      />
      <Dialog open={open} onClose={() => setOpen(false)} title="Add an environment">
        <EnvironmentForm
          after={() => {
            setOpen(false);
            void queries.invalidateQueries({ queryKey: ["/api/v1/environments"] });
          }}
        />
      </Dialog>
    </>
  );
}

function EnvironmentForm({ after }: { after: () => void }) {
  const form = useForm({
    initial: { title: "", name: "" },
    send: async (body) => done(await client.POST("/api/v1/environments", { body })),
    after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Add environment" unguarded>
      <TextField
        label="Title"
        pointer="/title"
        value={values.title}
        set={(title) => set(values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField label="Name" pointer="/name" mono help="Stands in every key of it." value={values.name} set={(name) => set({ name })} />
    </FormPanel>
  );
}
