import { type Schemas, client, done, read } from "@gateline/api-client";
import { Button, ChangesTable, Command, Dialog, Facts, ListPage, ProblemNote, Time, count, moment } from "@gateline/ui";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

type Entry = Schemas["AuditEntry"];

/** What people look for; every other action can stand in the address. */
const actions = [
  "import_api",
  "update_version",
  "create_plan",
  "update_plan",
  "create_product",
  "create_subscription",
  "create_key",
  "rotate_key",
  "revoke_key",
  "create_route",
  "update_route",
  "create_policy",
  "update_policy",
  "create_invitation",
  "accept_invitation",
  "update_membership",
  "delete_membership",
];

/** Who changed what. */
export default function Audit() {
  const [shown, setShown] = useState<Entry>();
  return (
    <>
      <ListPage<Entry>
        title="Audit"
        label="Audit entries"
        text="Every change, in a chain in which each entry carries the hash of the one before. A changed or removed entry is found."
        actions={<Verify />}
        load={({ cursor, action }) => read("/api/v1/audit", { params: { query: { cursor, "filter[action]": action } } })}
        filters={[
          {
            name: "action",
            title: "Action",
            options: actions.map((action) => [action, action]),
          },
        ]}
        columns={[
          { title: "No.", numeric: true, cell: (entry) => count(entry.sequence) },
          { title: "When", cell: (entry) => <Time at={entry.at} /> },
          { title: "Action", cell: (entry) => <code>{entry.action}</code> },
          { title: "On", cell: (entry) => <code className="text-ink-2">{entry.resource}</code> },
          { title: "Who", minor: true, cell: (entry) => entry.actor_name ?? <code className="text-ink-2">{entry.actor}</code> },
          { title: "Change", cell: (entry) => <Button small onClick={() => setShown(entry)}>Show</Button> },
        ]}
        empty={{
          title: "Nothing was changed yet",
          text: (
            <>
              <p>Every change from now on is an entry. From a terminal the chain is checked with:</p>
              <Command text="gateline audit verify" />
            </>
          ),
        }}
      />
      <Dialog open={shown !== undefined} onClose={() => setShown(undefined)} title={`${shown?.action ?? ""} on ${shown?.resource ?? ""}`} wide>
        {shown && <Difference entry={shown} />}
      </Dialog>
    </>
  );
}

/** What one entry changed, value by value. */
function Difference({ entry }: { entry: Entry }) {
  return (
    <div className="space-y-5">
      <Facts
        of={[
          ["When", moment(entry.at)],
          ["Who", <span key="who">{entry.actor_name} <code className="text-ink-2">{entry.actor}</code></span>],
          ["Request", <code key="request">{entry.request_id ?? "–"}</code>],
          ["Hash", <code key="hash" title={entry.hash}>{entry.hash.slice(0, 16)}…</code>],
        ]}
      />
      <ChangesTable before={entry.before} after={entry.after} />
    </div>
  );
}

function Verify() {
  const verify = useMutation({ mutationFn: async () => done(await client.GET("/api/v1/audit/verify")) });
  return (
    <div className="flex flex-wrap items-center gap-3">
      <span role="status">
        {verify.data &&
          (verify.data.valid ? (
            <span className="text-ok">All {count(verify.data.entries)} entries are as they were written.</span>
          ) : (
            <span className="text-bad">
              Broken at entry {verify.data.first_broken?.sequence}: {verify.data.first_broken?.detail}
            </span>
          ))}
      </span>
      {verify.error && <ProblemNote error={verify.error} />}
      <Button busy={verify.isPending} onClick={() => verify.mutate()}>
        Verify the chain
      </Button>
    </div>
  );
}
