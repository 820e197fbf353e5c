import { read } from "@gateline/api-client";
import { Button, ButtonLink, ChangesTable, Command, Dialog, Facts, List, Markdown, State, Time, useSession } from "@gateline/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { FlagsHead } from "./section-head";
import { type Change, ProposalSteps, environmentsOf, stateOptions, titleOf } from "../flags/proposal";
import { proposalPath } from "../flags/proposals";

/** In the address: all of them, whatever became of them. */
const ALL = "all";

/** The proposed changes of all flags, first those that wait for something. */
export default function FlagsChanges() {
  const { session } = useSession();
  const [shown, setShown] = useState<Change>();
  const close = () => setShown(undefined);
  return (
    <>
      <FlagsHead text="In a protected environment, a change is made once somebody else has said yes. Here are those of all flags that wait for somebody." />
      <List<Change>
        label="Proposed changes"
        load={({ cursor, state }) => {
          const narrowed = state === ALL ? {} : state ? { "filter[state]": state as Change["state"] } : { "filter[pending]": "true" as const };
          return read("/api/v1/feature-flags/change-requests", { params: { query: { cursor, ...narrowed } } });
        }}
        filters={[{ name: "state", title: "State", none: "Waiting for somebody", options: [[ALL, "All"], ...stateOptions] }]}
        to={(change) => proposalPath(change.flag_id, change.id)}
        columns={[
          { title: "Change", wide: true, cell: titleOf },
          {
            title: "Flag",
            cell: (change) => (
              <Link to={`/flags/${change.flag_id}`} className="link">
                <code>{change.flag_key}</code>
              </Link>
            ),
          },
          { title: "In", minor: true, cell: (change) => environmentsOf(change).join(", ") || "all" },
          { title: "State", cell: (change) => <State of={change.state} /> },
          { title: "By", cell: (change) => (change.author === session?.user.id ? "You" : <Author of={change} />) },
          { title: "When", minor: true, cell: (change) => <Time at={change.created_at} /> },
          {
            title: "Actions",
            cell: (change) => {
              const decides = change.state === "approved" || (change.state === "open" && change.author !== session?.user.id);
              const name = change.flag_key ?? change.flag_id;
              return (
                <Button small aria-label={decides ? `Decide about the change of ${name}` : `Look at the change of ${name}`} onClick={() => setShown(change)}>
                  {decides ? "Decide" : "Look"}
                </Button>
              );
            },
          },
        ]}
        empty={{
          title: "No change waits for somebody",
          action: (
            <ButtonLink to="/flags/changes" search={{ state: ALL }}>
              All that were proposed
            </ButtonLink>
          ),
          text: (
            <>
              <p>A change in a protected environment is offered to be proposed; so is one from a terminal:</p>
              <Command text="gateline flags propose new-checkout --environment production --on 50%" />
            </>
          ),
        }}
      />
      <Dialog open={shown !== undefined} onClose={close} title={`Proposed change of ${shown?.flag_key ?? "a flag"}`} wide>
        {shown && <Proposal change={shown} close={close} />}
      </Dialog>
    </>
  );
}

const Author = ({ of: change }: { of: Change }) => change.author_name ?? <code className="text-ink-2">{change.author}</code>;

function Proposal({ change, close }: { change: Change; close: () => void }) {
  return (
    <div className="space-y-5">
      <Facts
        of={[
          ["State", <State key="state" of={change.state} />],
          ["Proposed by", <Author key="author" of={change} />],
          ["When", <Time key="when" at={change.created_at} />],
          ...(change.decided_by ? [["Decided by", change.decided_by_name ?? change.decided_by] as [string, string]] : []),
        ]}
      />
      {change.comment && <Markdown text={change.comment} />}
      <ChangesTable before={change.before} after={change.after} />
      <ProposalSteps change={change} after={close} />
      <p>
        <Link to={proposalPath(change.flag_id, change.id)} className="link">
          Open it
        </Link>
      </p>
    </div>
  );
}
