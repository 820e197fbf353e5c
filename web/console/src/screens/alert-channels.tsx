import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Button, ConfirmButton, Copyable, Dialog, FormPanel, List, ProblemNote, SelectField, TextArea, TextField, nameOf, useForm } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { AlertHead } from "./section-head";

type Channel = Schemas["AlertChannel"];
type Target = Schemas["AlertTarget"];

const lines = (text: string): string[] => text.split(/[\s,]+/).filter((line) => line !== "");

/** Who is told. */
export default function AlertChannels() {
  const [shown, setShown] = useState<{ kind: "new" } | { kind: "change" | "secret" | "test"; channel: Channel }>();
  const queries = useQueryClient();
  const close = () => {
    setShown(undefined);
    void queries.invalidateQueries({ queryKey: ["/api/v1/alert-channels"] });
  };
  const create = (
    <Button kind="primary" onClick={() => setShown({ kind: "new" })}>
      Add a channel
    </Button>
  );
  return (
    <>
      <AlertHead text="Where notifications go; rules name them." actions={create} />
      <List<Channel>
        label="Alert channels"
        load={({ q, cursor }) => read("/api/v1/alert-channels", { params: { query: { q, cursor } } })}
        searchable
        columns={[
          { title: "Title", cell: (channel) => <span className="font-medium">{channel.title}</span> },
          { title: "Name", minor: true, cell: (channel) => <code>{channel.name}</code> },
          { title: "Goes to", wide: true, cell: ({ target }) => (target.kind === "webhook" ? <code className="break-all">{target.url}</code> : target.to.join(", ")) },
          {
            title: "Actions",
            cell: (channel) => (
              <span className="flex gap-2">
                <Button small onClick={() => setShown({ kind: "test", channel })}>
                  Try
                </Button>
                {channel.target.kind === "webhook" && channel.target.format !== "text" && (
                  <Button small onClick={() => setShown({ kind: "secret", channel })}>
                    Secret
                  </Button>
                )}
                <Button small onClick={() => setShown({ kind: "change", channel })}>
                  Change
                </Button>
                <ConfirmButton
                  small
                  label="Delete"
                  title={`Delete the channel ${channel.title}?`}
                  onConfirm={async () => {
                    await client.DELETE("/api/v1/alert-channels/{id}", { params: { path: { id: channel.id }, header: ifMatch(channel) } });
                    close();
                  }}
                >
                  A channel that rules name cannot be deleted.
                </ConfirmButton>
              </span>
            ),
          },
        ]}
        empty={{ title: "Nobody is told yet", text: <p>Add a webhook, also one of Slack or Mattermost, or mailboxes, and name it in a rule.</p>, action: create }}
      />
      <Dialog open={shown?.kind === "new"} onClose={close} title="Add a channel">
        <ChannelForm after={close} />
      </Dialog>
      <Dialog open={shown?.kind === "change"} onClose={close} title="Change the channel">
        {shown?.kind === "change" && <ChannelForm channel={shown.channel} after={close} />}
      </Dialog>
      <Dialog open={shown?.kind === "secret"} onClose={close} title="The channel's secret">
        {shown?.kind === "secret" && <Secret of={shown.channel} />}
      </Dialog>
      <Dialog open={shown?.kind === "test"} onClose={close} title="Try the channel">
        {shown?.kind === "test" && <Try of={shown.channel} />}
      </Dialog>
    </>
  );
}

function ChannelForm({ channel, after }: { channel?: Channel; after: () => void }) {
  const { target } = channel ?? {};
  const form = useForm({
    initial: {
      title: channel?.title ?? "",
      name: channel?.name ?? "",
      kind: target?.kind === "email" ? "email" : target?.kind === "webhook" && target.format === "text" ? "text" : "standard",
      url: target?.kind === "webhook" ? target.url : "",
      to: target?.kind === "email" ? target.to.join("\n") : "",
    },
    send: async ({ title, name, kind, url, to }) => {
      const wanted: Target = kind === "email" ? { kind, to: lines(to) } : { kind: "webhook", url, format: kind as "standard" | "text" };
      if (!channel) return done(await client.POST("/api/v1/alert-channels", { body: { title, name, target: wanted } }));
      // A merge patch would mix the two kinds: the old parts are named to go.
      const gone = Object.fromEntries(Object.keys(channel.target).map((key) => [key, null]));
      const body = { title, target: { ...gone, ...wanted } } as unknown as Schemas["AlertChannelPatch"];
      return done(await client.PATCH("/api/v1/alert-channels/{id}", { params: { path: { id: channel.id }, header: ifMatch(channel) }, body }));
    },
    after,
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={channel ? "Save changes" : "Add channel"} unguarded>
      <TextField
        label="Title"
        pointer="/title"
        value={values.title}
        set={(title) => set(!channel && values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      {!channel && <TextField label="Name" pointer="/name" mono help="What rules call it. It cannot be changed." value={values.name} set={(name) => set({ name })} />}
      <SelectField
        label="Kind"
        pointer="/target/kind"
        value={values.kind}
        set={(kind) => set({ kind })}
        options={[
          ["standard", "Webhook, signed (Standard Webhooks)"],
          ["text", "Webhook of Slack, Mattermost or Google Chat"],
          ["email", "Mailboxes"],
        ]}
      />
      {values.kind === "email" ? (
        <TextArea label="To" pointer="/target/to" help="One address per line." value={values.to} set={(to) => set({ to })} />
      ) : (
        <TextField label="URL" pointer="/target/url" type="url" value={values.url} set={(url) => set({ url })} />
      )}
    </FormPanel>
  );
}

function Secret({ of }: { of: Channel }) {
  const [made, setMade] = useState<string>();
  const query = useQuery(read("/api/v1/alert-channels/{id}/secret", { params: { path: { id: of.id } } }));
  const secret = made ?? query.data?.secret;
  if (query.error) return <ProblemNote error={query.error} />;
  return (
    <div className="space-y-4">
      <p className="text-ink-2">
        The receiver checks <code>webhook-signature</code> with it: HMAC-SHA256 over id, timestamp and body.
      </p>
      {secret && <Copyable text={secret} />}
      <ConfirmButton
        label="Make another one"
        title="Make another secret?"
        onConfirm={async () => setMade(done(await client.POST("/api/v1/alert-channels/{id}/rotate-secret", { params: { path: { id: of.id } } })).secret)}
      >
        Whatever is sent from then on is signed with it; receivers that know the old one refuse it.
      </ConfirmButton>
    </div>
  );
}

function Try({ of }: { of: Channel }) {
  const query = useQuery({
    queryKey: ["/api/v1/alert-channels/{id}/test", of.id],
    queryFn: async () => done(await client.POST("/api/v1/alert-channels/{id}/test", { params: { path: { id: of.id } } })),
    retry: false,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  if (query.error) return <ProblemNote error={query.error} />;
  if (!query.data) return <p role="status">A notification that is about nothing is on its way …</p>;
  return query.data.delivered ? (
    <p role="status" className="rounded-md bg-ok-soft px-3 py-2 text-ok">It was received.</p>
  ) : (
    <p role="status" className="rounded-md bg-bad-soft px-3 py-2 text-bad">It was not received: {query.data.error}.</p>
  );
}
