/** Keys of an application: listed, made, changed, rotated and revoked; a new key is shown once, inside a call that works. */
import { type Schemas, client, done, read, readText } from "@gateline/api-client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "./button";
import { ConfirmButton, Dialog } from "./dialog";
import { ChangeKeyButton, CreateKeyForm, RotateButton } from "./key-form";
import { List } from "./list";
import { Section } from "./page";
import { sampleCall } from "./sample";
import { SnippetBox } from "./snippet-box";
import { Copyable, State, Time } from "./text";

type Key = Schemas["Key"];
type Issued = Schemas["IssuedKey"];

/** A call to show a key in: method and the whole address. */
export interface Target {
  method: string;
  url: string;
}

/** A real call of an API: its contract and public address are known, the operation is the easiest of the contract. */
export function useTarget(contract: string | undefined, baseUrl: string | undefined): Target | undefined {
  const query = useQuery({
    queryKey: ["contract", contract],
    queryFn: async () => JSON.parse(await readText(contract ?? "", "application/json")) as Record<string, unknown>,
    enabled: contract !== undefined && baseUrl !== undefined,
    staleTime: Infinity,
  });
  const sample = sampleCall(query.data);
  return sample && baseUrl ? { method: sample.method, url: baseUrl.replace(/\/$/, "") + sample.path } : undefined;
}

/** A new key in a ready call; the only time it is seen. */
export function NewKey(props: { issued: Issued; target: Target | undefined }) {
  return (
    <div className="space-y-4">
      <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">
        This is the only time the key is shown. Keep it where your program reads it; here it stays a hash.
      </p>
      <Copyable text={props.issued.key} />
      {props.target ? (
        <>
          <p>A call that works as it stands:</p>
          <SnippetBox call={{ ...props.target, key: props.issued.key }} />
        </>
      ) : (
        <p className="text-ink-2">
          Send it as <code>X-API-Key</code>. The application needs a subscription before a call passes.
        </p>
      )}
    </div>
  );
}

interface KeysProps {
  applicationId: string;
  /** Where a key can be valid. */
  environments: string[];
  target: Target | undefined;
}

/** The keys of an application. */
export function Keys(props: KeysProps) {
  const [open, setOpen] = useState(false);
  const [issued, setIssued] = useState<Issued>();
  const queries = useQueryClient();
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/keys"] });
  const close = () => {
    setOpen(false);
    setIssued(undefined);
    void refresh();
  };
  const create = (
    <Button kind="primary" onClick={() => setOpen(true)}>
      Create a key
    </Button>
  );
  return (
    <Section title="Keys" text="What it calls with. Each is valid in one environment." actions={create}>
      <List<Key>
        label="Keys"
        under="keys"
        load={({ cursor }) => read("/api/v1/keys", { params: { query: { cursor, "filter[application]": props.applicationId } } })}
        columns={[
          { title: "Key", cell: (key) => <code className="whitespace-nowrap">{key.hint}</code> },
          { title: "Title", wide: true, cell: (key) => key.title || <span className="text-ink-2">–</span> },
          { title: "Environment", cell: (key) => key.environment },
          { title: "State", cell: (key) => <KeyState of={key} /> },
          { title: "Made", minor: true, cell: (key) => <Time at={key.created_at} /> },
          { title: "Last used", cell: (key) => <LastUse of={key} /> },
          { title: "Ends", cell: (key) => <Time at={key.revoked_at ?? key.expires_at} never="Never" /> },
          {
            title: "Actions",
            cell: (key) =>
              key.state === "active" && (
                <span className="flex gap-2">
                  <ChangeKeyButton of={key} after={refresh} />
                  <RotateButton
                    rotate={async (overlap_seconds) =>
                      done(await client.POST("/api/v1/keys/{id}/rotate", { params: { path: { id: key.id } }, body: { overlap_seconds } }))
                    }
                    after={setIssued}
                  />
                  <RevokeButton
                    hint={key.hint}
                    revoke={async () => {
                      await client.POST("/api/v1/keys/{id}/revoke", { params: { path: { id: key.id } } });
                      await refresh();
                    }}
                  />
                </span>
              ),
          },
        ]}
        empty={{ title: "No key yet", text: "A key lets this application call what it is subscribed to, in one environment." }}
      />
      <Dialog open={open && !issued} onClose={close} title="Create a key">
        <CreateKeyForm {...props} after={setIssued} />
      </Dialog>
      <Dialog open={issued !== undefined} onClose={close} title="Your new key" wide>
        {issued && <NewKey issued={issued} target={props.target} />}
        <div className="mt-5 flex justify-end">
          <Button kind="primary" onClick={close}>
            I have kept it
          </Button>
        </div>
      </Dialog>
    </Section>
  );
}

/** Whether a key is valid now; one that was replaced is valid until its overlap ends. */
export function KeyState({ of }: { of: Pick<Key, "state" | "expires_at" | "replaced_by"> }) {
  const [now] = useState(Date.now);
  if (of.state === "active" && of.expires_at && new Date(of.expires_at).getTime() < now) return <State of="expired" />;
  if (of.state === "active" && of.replaced_by) return <State of="replaced" />;
  return <State of={of.state} />;
}

const HOUR_MS = 3_600_000;

/** When a key was used last; known to the hour. */
export function LastUse({ of }: { of: Pick<Key, "last_used_at"> }) {
  const [now] = useState(Date.now);
  if (of.last_used_at && now - new Date(of.last_used_at).getTime() < HOUR_MS) return "this hour";
  return <Time at={of.last_used_at} never="Never" />;
}

/** Ends a key of either kind. */
export function RevokeButton(props: { hint: string; revoke: () => Promise<void> }) {
  return (
    <ConfirmButton label="Revoke" small title="Revoke the key?" onConfirm={props.revoke}>
      <p>
        Calls with <code>{props.hint}</code> are refused within a second. A revoked key never works again.
      </p>
    </ConfirmButton>
  );
}
