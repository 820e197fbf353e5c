/** Changes of flags, and what becomes of those that need somebody's yes: they are proposed instead. */
import { ProblemError, type Schemas, client, done, ifMatch } from "@gateline/api-client";
import { Button, Dialog, FormPanel, TextArea, useForm } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, createContext, useCallback, useContext, useState } from "react";
import type { Flag } from "./model";

type Patch = Schemas["FeatureFlagPatch"];

/** What came of a change: it was made, or it was proposed and waits at this address. */
export interface Changed {
  id: string;
  proposal?: string;
}

interface Asked {
  flag: Flag;
  patch: Patch;
  /** The address of the proposal; `undefined` if there is to be none. */
  answer: (proposal: string | undefined) => void;
}

type Offer = (asked: Omit<Asked, "answer">) => Promise<string | undefined>;

const OfferContext = createContext<Offer>(async () => undefined);

/** Asks around its screens whether a change that was refused is to be proposed. */
export function Proposals({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<Asked>();
  const offer = useCallback<Offer>(
    (next) =>
      new Promise((answer) => {
        setAsked({ ...next, answer });
      }),
    [],
  );
  const close = (proposal?: string) => {
    asked?.answer(proposal);
    setAsked(undefined);
  };
  return (
    <OfferContext value={offer}>
      {children}
      <Dialog open={asked !== undefined} onClose={() => close()} title="Somebody else has to say yes">
        {asked && <Propose {...asked} close={close} />}
      </Dialog>
    </OfferContext>
  );
}

function Propose({ flag, patch, close }: Asked & { close: (proposal?: string) => void }) {
  const queries = useQueryClient();
  const path = "/api/v1/feature-flags/{id}/change-requests";
  const form = useForm({
    initial: { comment: "" },
    send: async ({ comment }) => {
      const body = { patch: patch as Record<string, never>, comment };
      const made = done(await client.POST(path, { params: { path: { id: flag.id } }, body }));
      await queries.invalidateQueries({ queryKey: [path] });
      return made;
    },
    after: (made) => close(proposalPath(flag.id, made.id)),
  });
  return (
    <div className="space-y-4">
      <p className="text-ink-2">
        It makes a difference in an environment that is protected. Propose the change: once somebody else has approved it, it can be applied. Turning the flag off needs nobody.
      </p>
      <FormPanel form={form} submit="Propose the change" unguarded beside={<Button onClick={() => close()}>Cancel</Button>}>
        <TextArea
          label="What it is for"
          optional
          pointer="/comment"
          help="CommonMark."
          rows={3}
          value={form.values.comment}
          set={(comment) => form.set({ comment })}
        />
      </FormPanel>
    </div>
  );
}

/** The address of a proposed change. */
export const proposalPath = (flag: string, proposal: string): string => `/flags/${flag}/changes/${proposal}`;

/** Lets every screen know that flags have changed. */
export function useFlagsChanged() {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey.some((part) => typeof part === "string" && part.startsWith("/api/v1/feature-flags")) });
}

/** Makes a change of a flag, or proposes it where that is needed. */
export function useGuarded(flag: Flag) {
  const offer = useContext(OfferContext);
  const changed = useFlagsChanged();
  return async (patch: Patch, make: () => Promise<unknown>): Promise<Changed> => {
    try {
      await make();
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== "environment_protected") throw error;
      const proposal = await offer({ flag, patch });
      if (proposal === undefined) throw error;
      return { id: flag.id, proposal };
    }
    await changed();
    return { id: flag.id };
  };
}

/** Changes a flag. */
export function useChange(flag: Flag) {
  const guarded = useGuarded(flag);
  return (body: Patch): Promise<Changed> =>
    guarded(body, () => client.PATCH("/api/v1/feature-flags/{id}", { params: { path: { id: flag.id }, header: ifMatch(flag) }, body }));
}

/** Makes a flag as it was. */
export function useRevert(flag: Flag) {
  const guarded = useGuarded(flag);
  return (to: Schemas["FeatureFlagRevision"], patch: Patch): Promise<Changed> =>
    guarded(patch, () => client.POST("/api/v1/feature-flags/{id}/revert", { params: { path: { id: flag.id }, header: ifMatch(flag) }, body: { revision: to.revision } }));
}
