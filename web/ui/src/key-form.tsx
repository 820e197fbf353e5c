/** The forms of a key: made, changed, followed by another. */
import { type Schemas, client, done, ifMatch } from "@gateline/api-client";
import { useState } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { type Expiry, byHand, expiries, expiryOf, momentOf } from "./expiry";
import { Field, FormPanel, SelectField, TextField, useForm } from "./form";

type Key = Schemas["Key"];
type Issued = Schemas["IssuedKey"];

const where = "Where it will be used: laptop, server, CI.";

/** The form of a new key. */
export function CreateKeyForm(props: { applicationId: string; environments: string[]; after: (issued: Issued) => void }) {
  const form = useForm({
    initial: { title: "", environment: props.environments[0] ?? "sandbox", expiry: expiryOf(undefined) },
    send: async ({ expiry, ...values }) => {
      const expires_at = momentOf(expiry);
      const body = { application_id: props.applicationId, ...values, ...(expires_at === undefined ? {} : { expires_at }) };
      return done(await client.POST("/api/v1/keys", { body }));
    },
    after: props.after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Create key" unguarded>
      <TextField label="Title" optional pointer="/title" help={where} value={values.title} set={(title) => set({ title })} />
      <SelectField
        label="Environment"
        pointer="/environment"
        value={values.environment}
        set={(environment) => set({ environment })}
        options={props.environments.map((each) => [each, each])}
      />
      <ExpiryField value={values.expiry} set={(expiry) => set({ expiry })} />
    </FormPanel>
  );
}

/** Changes what a key is called and when it ends. */
export function ChangeKeyButton(props: { of: Key; after: () => unknown }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        Change
      </Button>
      <Dialog open={open} onClose={close} title="Change the key">
        <ChangeKeyForm
          of={props.of}
          after={() => {
            close();
            void props.after();
          }}
        />
      </Dialog>
    </>
  );
}

function ChangeKeyForm(props: { of: Key; after: () => void }) {
  const { of: key } = props;
  const begun = expiryOf(key.expires_at);
  const form = useForm({
    initial: { title: key.title, expiry: begun },
    send: async ({ title, expiry }) => {
      // The form knows minutes; an end that was not touched keeps its seconds.
      const kept = expiry.ends === begun.ends && expiry.at === begun.at;
      const body = { title, ...(kept ? {} : { expires_at: momentOf(expiry) ?? null }) };
      return client.PATCH("/api/v1/keys/{id}", { params: { path: { id: key.id }, header: ifMatch(key) }, body });
    },
    after: props.after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Save changes" unguarded>
      <TextField label="Title" optional pointer="/title" help={where} value={values.title} set={(title) => set({ title })} />
      <ExpiryField value={values.expiry} set={(expiry) => set({ expiry })} />
    </FormPanel>
  );
}

interface ExpiryProps {
  value: Expiry;
  set: (value: Expiry) => void;
  label?: string;
  help?: string;
}

/** When a key ends. */
export function ExpiryField({ value, set, label = "Ends", help = "From then on calls with it are refused." }: ExpiryProps) {
  const hand = byHand(value);
  return (
    <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2">
      <SelectField
        label={label}
        pointer={hand ? "" : "/expires_at"}
        help={help}
        value={value.ends}
        set={(ends) => set({ ends, at: value.at || expiryOf(new Date(Date.now() + 86_400_000).toISOString()).at })}
        options={expiries}
      />
      {hand && (
        <Field label="Moment" pointer="/expires_at" help="In your time zone.">
          {(attributes) => (
            <input {...attributes} type="datetime-local" className="input" value={value.at} onChange={(event) => set({ ...value, at: event.target.value })} />
          )}
        </Field>
      )}
    </div>
  );
}

const overlaps: [string, string][] = [
  ["0", "Stop the old key now"],
  ["3600", "Old key works for another hour"],
  ["86400", "Old key works for another day"],
  ["604800", "Old key works for another week"],
  ["2592000", "Old key works for another 30 days"],
];

/** Follows a key of either kind by another. */
export function RotateButton<Made>(props: { rotate: (overlap_seconds: number) => Promise<Made>; after: (issued: Made) => void }) {
  const [open, setOpen] = useState(false);
  const form = useForm({
    initial: { overlap: "86400" },
    send: (values) => props.rotate(Number(values.overlap)),
    after: (issued) => {
      setOpen(false);
      props.after(issued);
    },
  });
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        Rotate
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Rotate the key">
        <p className="mb-4 text-ink-2">A new key takes the place of this one. Give your programs time to change over.</p>
        <FormPanel form={form} submit="Rotate key" unguarded>
          <SelectField label="Overlap" pointer="/overlap_seconds" value={form.values.overlap} set={(overlap) => form.set({ overlap })} options={overlaps} />
        </FormPanel>
      </Dialog>
    </>
  );
}
