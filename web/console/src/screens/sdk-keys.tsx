import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import {
  Badge,
  Button,
  ChoiceField,
  Command,
  Copyable,
  Dialog,
  ExpiryField,
  FormPanel,
  KeyState,
  LastUse,
  ListPage,
  RevokeButton,
  RotateButton,
  SelectField,
  TextArea,
  TextField,
  Time,
  expiryOf,
  figure,
  momentOf,
  rate,
  useForm,
} from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { LeftOutHint } from "../flags/left-out";
import { useEnvironments } from "../flags/queries";
import { RateFields, type RateValues } from "./rate-fields";

type Key = Schemas["SdkKey"];
type Issued = Schemas["IssuedSdkKey"];

const encryptHelp = (
  <>
    For those that are given a <code>decryptionKey</code>: features are sent to them encrypted, and the payload key for them is shown once, with the SDK
    key. Cannot be changed later.
  </>
);

const lines = (text: string): string[] => text.split(/\s+/).filter((line) => line !== "");

/** The keys that ask for flags and record events. */
export default function SdkKeys() {
  const [open, setOpen] = useState(false);
  const [changed, setChanged] = useState<Key>();
  const [issued, setIssued] = useState<Issued>();
  const names = (useEnvironments().data?.data ?? []).map((each) => each.name);
  const search = useSearch({ strict: false }) as { environment?: string };
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/sdk-keys"] });
  const close = () => {
    setOpen(false);
    setChanged(undefined);
    setIssued(undefined);
    void refresh();
  };
  const create = (
    <Button kind="primary" onClick={() => setOpen(true)}>
      Create an SDK key
    </Button>
  );
  return (
    <>
      <ListPage<Key>
        title="SDK keys"
        label="SDK keys"
        text="What asks for flags and records events: a server's key is secret, a client's key may stand in a page or app."
        actions={create}
        note={<LeftOutHint environment={search.environment} />}
        load={({ cursor, state, kind, environment }) =>
          read("/api/v1/sdk-keys", {
            params: {
              query: {
                cursor,
                "filter[state]": state as Key["state"] | undefined,
                "filter[kind]": kind as Key["kind"] | undefined,
                "filter[environment]": environment,
              },
            },
          })
        }
        filters={[
          {
            name: "state",
            title: "State",
            options: [
              ["active", "Active"],
              ["revoked", "Revoked"],
            ],
          },
          {
            name: "kind",
            title: "Kind",
            options: [
              ["server", "Server"],
              ["client", "Client"],
            ],
          },
          { name: "environment", title: "Environment", options: names.map((name) => [name, name]) },
        ]}
        columns={[
          { title: "Key", cell: (key) => <code className="whitespace-nowrap">{key.hint}</code> },
          { title: "Title", wide: true, cell: (key) => <Title of={key} /> },
          { title: "Kind", cell: (key) => <Kind of={key} /> },
          { title: "Environment", cell: (key) => key.environment },
          { title: "State", cell: (key) => <KeyState of={key} /> },
          { title: "Last used", cell: (key) => <LastUse of={key} /> },
          { title: "Ends", minor: true, cell: (key) => <Time at={key.revoked_at ?? key.expires_at} never="Never" /> },
          {
            title: "Actions",
            cell: (key) =>
              key.state === "active" && (
                <span className="flex gap-2">
                  <Button small onClick={() => setChanged(key)}>
                    Change
                  </Button>
                  <RotateButton
                    rotate={async (overlap_seconds) =>
                      done(await client.POST("/api/v1/sdk-keys/{id}/rotate", { params: { path: { id: key.id } }, body: { overlap_seconds } }))
                    }
                    after={setIssued}
                  />
                  <RevokeButton
                    hint={key.hint}
                    revoke={async () => {
                      await client.POST("/api/v1/sdk-keys/{id}/revoke", { params: { path: { id: key.id } } });
                      await refresh();
                    }}
                  />
                </span>
              ),
          },
        ]}
        empty={{
          title: "No SDK key yet",
          text: (
            <>
              <p>Flags are asked for and events recorded with one, in one environment.</p>
              <Command text="gateline sdk-keys create --kind server" />
            </>
          ),
          action: create,
        }}
      />
      <Dialog open={open && !issued} onClose={close} title="Create an SDK key">
        <CreateForm after={setIssued} />
      </Dialog>
      <Dialog open={changed !== undefined} onClose={close} title="Change the key">
        {changed && <ChangeForm of={changed} after={close} />}
      </Dialog>
      <Dialog open={issued !== undefined} onClose={close} title="Your new key" wide>
        {issued && <NewSdkKey issued={issued} />}
        <div className="mt-5 flex justify-end">
          <Button kind="primary" onClick={close}>
            {issued?.payload_key ? "I have kept them" : "I have kept it"}
          </Button>
        </div>
      </Dialog>
    </>
  );
}

/** What a key is called, and how often it may be used. */
function Title({ of: key }: { of: Key }) {
  return (
    <span className="flex flex-wrap items-center gap-x-1.5">
      {key.title || <span className="text-ink-2">–</span>}
      {key.rate_limit && <Badge>{rate(key.rate_limit)}</Badge>}
    </span>
  );
}

/** Who holds a key, and whether features are encrypted for it. */
function Kind({ of: key }: { of: Key }) {
  return (
    <span className="flex flex-wrap items-center gap-x-1.5">
      {key.kind === "client" ? "Client" : "Server"}
      {key.encrypt_payload && <Badge>encrypted</Badge>}
    </span>
  );
}

/** A new key, and what features are encrypted with for it; the only time they are seen. */
function NewSdkKey({ issued }: { issued: Issued }) {
  const { key, payload_key } = issued;
  return (
    <div className="space-y-4">
      <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">
        {payload_key
          ? "This is the only time the two keys are shown. Keep them where your program reads them."
          : "This is the only time the key is shown. Keep it where your program reads it; here it stays a hash."}
      </p>
      <Copyable text={key} />
      <p className="text-ink-2">
        Send it as <code>X-API-Key</code>, or as <code>?key=</code> from a page that is left.
      </p>
      {payload_key && (
        <>
          <h3>Payload key</h3>
          <Copyable text={payload_key} />
          <p className="text-ink-2">
            Features are encrypted with it: give it to SDKs of GrowthBook as <code>decryptionKey</code>, and the SDK key as <code>clientKey</code>.
          </p>
        </>
      )}
    </div>
  );
}

/** The form of a new key. */
function CreateForm(props: { after: (issued: Issued) => void }) {
  const environments = useEnvironments();
  const form = useForm({
    initial: { kind: "server", environment: "sandbox", title: "", origins: "", encrypt_payload: false, ...rateOf(undefined), expiry: expiryOf(undefined) },
    send: async ({ expiry, kind, origins, encrypt_payload, requests, window_seconds, ...values }) => {
      const expires_at = momentOf(expiry);
      const rate_limit = limitOf({ requests, window_seconds });
      const body = {
        ...values,
        kind: kind as Schemas["SdkKeyKind"],
        ...(kind === "client" ? { origins: lines(origins) } : { encrypt_payload }),
        ...(rate_limit ? { rate_limit } : {}),
        ...(expires_at === undefined ? {} : { expires_at }),
      };
      return done(await client.POST("/api/v1/sdk-keys", { body }));
    },
    after: props.after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Create key" unguarded>
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <SelectField
          label="Kind"
          pointer="/kind"
          help="A client's key can be read by everybody: it is told values for clients only."
          value={values.kind}
          set={(kind) => set({ kind })}
          options={[
            ["server", "Server: secret"],
            ["client", "Client: in a page or app"],
          ]}
        />
        <SelectField
          label="Environment"
          pointer="/environment"
          value={values.environment}
          set={(environment) => set({ environment })}
          options={(environments.data?.data ?? []).map((each) => [each.name, each.name])}
        />
      </div>
      <TextField label="Title" optional pointer="/title" help="Where it will be used." value={values.title} set={(title) => set({ title })} />
      {values.kind === "client" ? (
        <OriginsField value={values.origins} set={(origins) => set({ origins })} />
      ) : (
        <ChoiceField
          label="SDKs of GrowthBook"
          options={[{ value: "encrypt", title: "Encrypt the payload", text: encryptHelp }]}
          chosen={values.encrypt_payload ? ["encrypt"] : []}
          set={(chosen) => set({ encrypt_payload: chosen.length > 0 })}
        />
      )}
      <KeyRateFields values={values} set={set} />
      <ExpiryField value={values.expiry} set={(expiry) => set({ expiry })} />
    </FormPanel>
  );
}

/** Changes what a key is called, whose pages may use it, how often, and when it ends. */
function ChangeForm(props: { of: Key; after: () => void }) {
  const { of: key } = props;
  const begun = expiryOf(key.expires_at);
  const form = useForm({
    initial: { title: key.title, origins: (key.origins ?? []).join("\n"), ...rateOf(key.rate_limit), expiry: begun },
    send: async ({ title, origins, expiry, ...rateValues }) => {
      // The form knows minutes; an end that was not touched keeps its seconds.
      const kept = expiry.ends === begun.ends && expiry.at === begun.at;
      const body = {
        title,
        ...(key.kind === "client" ? { origins: lines(origins) } : {}),
        rate_limit: limitOf(rateValues, key.rate_limit?.burst),
        ...(kept ? {} : { expires_at: momentOf(expiry) ?? null }),
      };
      return client.PATCH("/api/v1/sdk-keys/{id}", { params: { path: { id: key.id }, header: ifMatch(key) }, body });
    },
    after: props.after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Save changes" unguarded>
      <TextField label="Title" optional pointer="/title" help="Where it will be used." value={values.title} set={(title) => set({ title })} />
      {key.kind === "client" && <OriginsField value={values.origins} set={(origins) => set({ origins })} />}
      <KeyRateFields values={values} set={set} />
      <ExpiryField value={values.expiry} set={(expiry) => set({ expiry })} />
    </FormPanel>
  );
}

function rateOf(limit: Key["rate_limit"]): RateValues {
  return { requests: String(limit?.requests ?? ""), window_seconds: String(limit?.window_seconds ?? 60) };
}

/** The limit that stands in the fields; `null` takes one away. */
function limitOf(values: RateValues, burst?: number | null): Schemas["CallRate"] | null {
  const requests = figure(values.requests);
  return requests === undefined ? null : { requests, window_seconds: Number(values.window_seconds), ...(burst ? { burst } : {}) };
}

function KeyRateFields(props: { values: RateValues; set: (change: Partial<RateValues>) => void }) {
  return (
    <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
      <RateFields {...props} help="Calls with this key at each node, of whatever kind. Empty: as many as come." />
    </div>
  );
}

function OriginsField(props: { value: string; set: (value: string) => void }) {
  return (
    <TextArea
      label="Origins"
      optional
      mono
      rows={2}
      pointer="/origins"
      help="Whose pages may use it, one per line: https://shop.example, or https://*.shop.example for everything below. Empty: any."
      value={props.value}
      set={props.set}
    />
  );
}
