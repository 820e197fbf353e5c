import { read } from "@gateline/api-client";
import { ChangesTable, Facts, Loaded, Markdown, Panel, Section, State, Time, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FlagFrame } from "../flags/frame";
import type { Flag } from "../flags/model";
import { PATH, ProposalSteps } from "../flags/proposal";

/** One proposed change: what it makes otherwise, and a yes or a no. */
export default function FlagChangeScreen() {
  return <FlagFrame>{(flag) => <Proposed flag={flag} />}</FlagFrame>;
}

function Proposed({ flag }: { flag: Flag }) {
  const path = { id: flag.id, change_request: useParam("change") };
  const query = useQuery(read(PATH, { params: { path } }));
  return (
    <Loaded query={query}>
      {(change) => (
        <Section title="Proposed change" text={<Link to={`/flags/${flag.id}/changes`} className="link">All proposed changes</Link>}>
          <div className="space-y-6">
            <Facts
              of={[
                ["State", <State key="state" of={change.state} />],
                ["Proposed by", change.author_name ?? <code key="author">{change.author}</code>],
                ["When", <Time key="when" at={change.created_at} />],
                ["Of version", change.flag_revision],
                ...(change.decided_by ? [["Decided by", change.decided_by_name ?? change.decided_by] as [string, string]] : []),
                ...(change.applied_revision ? [["Made version", String(change.applied_revision)] as [string, string]] : []),
              ]}
            />
            {change.comment && <Markdown text={change.comment} />}
            <Panel>
              <ChangesTable before={change.before} after={change.after} />
            </Panel>
            {change.decision && (
              <div>
                <h3 className="mb-1">What was said to it</h3>
                <Markdown text={change.decision} />
              </div>
            )}
            <ProposalSteps key={change.revision} change={change} />
          </div>
        </Section>
      )}
    </Loaded>
  );
}
