import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { ActionButton, Badge, Button, Command, Dialog, FormPanel, ListPage, TextField, Time, nameOf, useForm } from "@gateline/ui";
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
          { title: "Flags", cell: (environment) => <Protection of={environment} /> },
          { title: "Made", minor: true, cell: (environment) => <Time at={environment.created_at} /> },
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

/** Whether changes of flags need somebody's yes, and the button that changes it. */
function Protection({ of: environment }: { of: Environment }) {
  const queries = useQueryClient();
  const change = async () => {
    const path = { id: environment.id };
    done(await client.PATCH("/api/v1/environments/{id}", { params: { path, header: ifMatch(environment) }, body: { protected: !environment.protected } }));
    await queries.invalidateQueries({ queryKey: ["/api/v1/environments"] });
  };
  return (
    <span className="flex items-center justify-between gap-3">
      {environment.protected ? <Badge tone="accent">Need somebody&apos;s yes</Badge> : <span className="text-ink-2">Changed at once</span>}
      <ActionButton small label={environment.protected ? "Unprotect" : "Protect"} act={change} />
    </span>
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
