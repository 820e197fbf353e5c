import { type Schemas, client, done, read } from "@gateline/api-client";
import { ActionButton, ChangesTable, Facts, Loaded, Markdown, Panel, Section, State, TextArea, Time, useParam, useSession } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { FlagFrame } from "../flags/frame";
import type { Flag } from "../flags/model";
import { useFlagsChanged } from "../flags/proposals";

type Change = Schemas["FlagChangeRequest"];

const PATH = "/api/v1/feature-flags/{id}/change-requests/{change_request}";

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
            <Steps key={change.revision} change={change} path={path} />
          </div>
        </Section>
      )}
    </Loaded>
  );
}

/** What can be done with it by whom: its author takes it back, somebody else decides. */
function Steps({ change, path }: { change: Change; path: { id: string; change_request: string } }) {
  const { session } = useSession();
  const queries = useQueryClient();
  const flagsChanged = useFlagsChanged();
  const [comment, setComment] = useState("");
  const isAuthor = change.author === session?.user.id;
  const take = (step: "approve" | "reject" | "apply" | "withdraw") => async () => {
    const params = { params: { path } };
    if (step === "approve" || step === "reject") done(await client.POST(`${PATH}/${step}`, { ...params, body: { comment } }));
    else done(await client.POST(`${PATH}/${step}`, params));
    await queries.invalidateQueries({ queryKey: [PATH] });
    await flagsChanged();
  };
  if (change.state !== "open" && change.state !== "approved") return null;
  return (
    <div className="max-w-2xl space-y-3">
      {!isAuthor && <TextArea label="Why" optional pointer="/comment" rows={2} value={comment} set={setComment} />}
      {isAuthor && change.state === "open" && <p className="text-ink-2">Somebody else has to approve it.</p>}
      <div className="flex flex-wrap gap-2">
        {change.state === "approved" && <ActionButton kind="primary" label="Apply" act={take("apply")} />}
        {change.state === "open" && !isAuthor && <ActionButton kind="primary" label="Approve" act={take("approve")} />}
        {!isAuthor && <ActionButton label="Reject" act={take("reject")} />}
        {isAuthor && <ActionButton label="Withdraw" act={take("withdraw")} />}
      </div>
    </div>
  );
}
