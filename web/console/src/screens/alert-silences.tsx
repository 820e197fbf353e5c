import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Button, ChoiceField, ConfirmButton, Dialog, FormPanel, List, SelectField, State, TextField, Time, useForm } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { AlertHead } from "./section-head";

type Silence = Schemas["AlertSilence"];

const stateOf = (silence: Silence): string => {
  const now = Date.now();
  if (Date.parse(silence.ends_at) <= now) return "over";
  return Date.parse(silence.starts_at) <= now ? "active" : "planned";
};

/** When nobody is told. */
export default function AlertSilences() {
  const [open, setOpen] = useState(false);
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/alert-silences"] });
  const create = (
    <Button kind="primary" onClick={() => setOpen(true)}>
      Tell nobody for a while
    </Button>
  );
  return (
    <>
      <AlertHead text="Times in which nobody is told, as a deployment. What still is so when one ends is told then." actions={create} />
      <List<Silence>
        label="Alert silences"
        load={({ cursor }) => read("/api/v1/alert-silences", { params: { query: { cursor } } })}
        columns={[
          { title: "Why", wide: true, cell: (silence) => <span className="font-medium">{silence.title}</span> },
          { title: "State", cell: (silence) => <State of={stateOf(silence)} /> },
          { title: "Rules", minor: true, cell: (silence) => silence.rules?.join(", ") || "all" },
          { title: "Begins", cell: (silence) => <Time at={silence.starts_at} /> },
          { title: "Ends", cell: (silence) => <Time at={silence.ends_at} /> },
          {
            title: "Actions",
            cell: (silence) => (
              <ConfirmButton
                small
                label="Delete"
                title={`Delete the silence ${silence.title}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/alert-silences/{id}", { params: { path: { id: silence.id }, header: ifMatch(silence) } });
                  await refresh();
                }}
              >
                From then on people are told again, also of what is so now.
              </ConfirmButton>
            ),
          },
        ]}
        empty={{ title: "People are told at any time", text: <p>Before a deployment, tell nobody for a while.</p>, action: create }}
      />
      <Dialog open={open} onClose={() => setOpen(false)} title="Tell nobody for a while">
        <SilenceForm
          after={() => {
            setOpen(false);
            void refresh();
          }}
        />
      </Dialog>
    </>
  );
}

function SilenceForm({ after }: { after: () => void }) {
  const rules = useQuery(read("/api/v1/alert-rules", { params: { query: { limit: 200 } } }));
  const form = useForm({
    initial: { title: "", minutes: "60", rules: [] as string[] },
    send: async ({ title, minutes, rules: chosen }) => {
      const now = Date.now();
      const [starts_at, ends_at] = [now, now + Number(minutes) * 60_000].map((moment) => new Date(moment).toISOString()) as [string, string];
      return done(await client.POST("/api/v1/alert-silences", { body: { title, rules: chosen, starts_at, ends_at } }));
    },
    after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Tell nobody" unguarded>
      <TextField label="Why" pointer="/title" value={values.title} set={(title) => set({ title })} />
      <SelectField
        label="For how long"
        pointer="/ends_at"
        value={values.minutes}
        set={(minutes) => set({ minutes })}
        options={[
          ["15", "15 minutes"],
          ["60", "An hour"],
          ["240", "4 hours"],
          ["1440", "A day"],
          ["10080", "A week"],
        ]}
      />
      <ChoiceField
        label="Whose alerts"
        help="All, if none is chosen."
        options={(rules.data?.data ?? []).map((rule) => ({ value: rule.name, title: rule.title, text: rule.name }))}
        chosen={values.rules}
        set={(chosen) => set({ rules: chosen })}
      />
    </FormPanel>
  );
}
