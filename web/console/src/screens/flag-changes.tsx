import { read } from "@gateline/api-client";
import { Command, List, Section, State, Time } from "@gateline/ui";
import { FlagFrame } from "../flags/frame";
import { type Change, stateOptions, titleOf } from "../flags/proposal";
import { proposalPath } from "../flags/proposals";

/** The changes of a flag that were proposed. */
export default function FlagChanges() {
  return (
    <FlagFrame>
      {(flag) => (
        <Section title="Proposed changes" text="In a protected environment, a change is made once somebody else has said yes. Turning a flag off needs nobody.">
          <List<Change>
            label="Proposed changes"
            load={({ cursor, state }) =>
              read("/api/v1/feature-flags/{id}/change-requests", {
                params: { path: { id: flag.id }, query: { cursor, "filter[state]": state as Change["state"] | undefined } },
              })
            }
            filters={[{ name: "state", title: "State", options: stateOptions }]}
            to={(change) => proposalPath(flag.id, change.id)}
            columns={[
              { title: "Change", wide: true, cell: titleOf },
              { title: "State", cell: (change) => <State of={change.state} /> },
              { title: "By", cell: (change) => change.author_name ?? <code className="text-ink-2">{change.author}</code> },
              { title: "When", cell: (change) => <Time at={change.created_at} /> },
              { title: "Decided by", minor: true, cell: (change) => change.decided_by_name ?? change.decided_by ?? "–" },
            ]}
            empty={{
              title: "No change was proposed",
              text: (
                <>
                  <p>A change in a protected environment is offered to be proposed; so is one from a terminal:</p>
                  <Command text={`gateline flags propose ${flag.key} --environment production --on 50%`} />
                </>
              ),
            }}
          />
        </Section>
      )}
    </FlagFrame>
  );
}
