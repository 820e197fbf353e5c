/** A proposed change of a flag: what it is called, and what can be done with it. */
import { type Schemas, client, done } from "@gateline/api-client";
import { ActionButton, TextArea, useSession } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useFlagsChanged } from "./proposals";

export type Change = Schemas["FlagChangeRequest"];

/** Where the API has one. */
export const PATH = "/api/v1/feature-flags/{id}/change-requests/{change_request}";

const STATES: Change["state"][] = ["open", "approved", "rejected", "applied", "withdrawn"];

/** How far a change can be, to choose from. */
export const stateOptions = STATES.map((state): [string, string] => [state, state.charAt(0).toUpperCase() + state.slice(1)]);

/** The environments that it touches. */
export const environmentsOf = ({ patch }: Change): string[] => Object.keys((patch as { environments?: object }).environments ?? {});

/** What it is for, or which environments and fields it touches. */
export function titleOf(change: Change): string {
  const [first] = change.comment.trim().split("\n");
  if (first) return first;
  const fields = Object.keys(change.patch).filter((name) => name !== "environments");
  return [...environmentsOf(change), ...fields].join(", ");
}

/** What can be done with it by whom: its author takes it back, somebody else decides. */
export function ProposalSteps({ change, after }: { change: Change; after?: () => void }) {
  const { session } = useSession();
  const queries = useQueryClient();
  const flagsChanged = useFlagsChanged();
  const [comment, setComment] = useState("");
  const isAuthor = change.author === session?.user.id;
  const take = (step: "approve" | "reject" | "apply" | "withdraw") => async () => {
    const params = { params: { path: { id: change.flag_id, change_request: change.id } } };
    if (step === "approve" || step === "reject") done(await client.POST(`${PATH}/${step}`, { ...params, body: { comment } }));
    else done(await client.POST(`${PATH}/${step}`, params));
    await queries.invalidateQueries({ queryKey: [PATH] });
    await flagsChanged();
    after?.();
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
