/** What a flag or a segment was, change by change, and the way back there. */
import { ProblemError } from "@gateline/api-client";
import { Button, ChangesTable, Confirm, Dialog, List, type ListSearch, Loaded, Time } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

/** What a revision of either is. */
export interface Revision {
  revision: number;
  at: string;
  actor: string;
  actor_name?: string;
  spec: object;
}

interface Asked<T> {
  queryKey: readonly unknown[];
  queryFn: (context: { signal: AbortSignal }) => Promise<T>;
}

interface Props<R extends Revision> {
  /** The page of revisions, the newest first. */
  load: (search: ListSearch) => Asked<{ data: R[]; has_more: boolean; next_cursor?: string | null }>;
  one: (revision: number) => Asked<R>;
  /** The revision of now, and the editable part. */
  current: { revision: number; spec: object };
  /** Makes it so again. */
  revert: (revision: R) => Promise<unknown>;
}

/** The list of them. */
export function History<R extends Revision>(props: Props<R>) {
  const [shown, setShown] = useState<R>();
  const [wanted, setWanted] = useState<R>();
  const load = (search: ListSearch) => {
    const { queryKey, queryFn } = props.load(search);
    return {
      queryKey: ["rows", ...queryKey],
      queryFn: async (context: { signal: AbortSignal }) => {
        const page = await queryFn(context);
        return { ...page, data: page.data.map((each) => ({ ...each, id: String(each.revision) })) };
      },
    };
  };
  return (
    <>
      <List<R & { id: string }>
        label="Revisions"
        load={load}
        columns={[
          { title: "Version", numeric: true, cell: (row) => row.revision },
          { title: "When", cell: (row) => <Time at={row.at} /> },
          { title: "Who", wide: true, cell: (row) => row.actor_name ?? (row.actor ? <code className="text-ink-2">{row.actor}</code> : <span className="text-ink-2">Not known</span>) },
          {
            title: "Actions",
            cell: (row) => (
              <span className="flex flex-wrap gap-2">
                <Button small aria-label={`What changed in version ${row.revision}`} onClick={() => setShown(row)}>
                  What changed
                </Button>
                {row.revision !== props.current.revision && (
                  <Button small aria-label={`Make it so again, as in version ${row.revision}`} onClick={() => setWanted(row)}>
                    Make it so again
                  </Button>
                )}
              </span>
            ),
          },
        ]}
        empty={{ title: "Nothing is kept yet", text: "Every change from now on is kept." }}
      />
      <Dialog open={shown !== undefined} onClose={() => setShown(undefined)} title={`What changed in version ${shown?.revision ?? ""}`} wide>
        {shown && <Difference of={shown} one={props.one} />}
      </Dialog>
      <Confirm
        open={wanted !== undefined}
        onClose={() => setWanted(undefined)}
        title={`Make it as in version ${wanted?.revision ?? ""}?`}
        action="Make it so again"
        onConfirm={() => wanted && props.revert(wanted)}
      >
        <p>This is a change like any other, in force within a second:</p>
        {wanted && <ChangesTable before={props.current.spec} after={wanted.spec} />}
      </Confirm>
    </>
  );
}

/** What a change made of the revision before; all of it where that one is not kept any more. */
function Difference<R extends Revision>({ of, one }: { of: R; one: Props<R>["one"] }) {
  const query = useQuery({
    ...one(of.revision - 1),
    enabled: of.revision > 1,
    retry: false,
    throwOnError: false,
  });
  if (of.revision === 1) return <ChangesTable before={undefined} after={of.spec} />;
  if (query.error instanceof ProblemError && query.error.status === 404) {
    return (
      <>
        <p className="mb-3 text-ink-2">What was before is not kept any more. It was since then:</p>
        <ChangesTable before={undefined} after={of.spec} />
      </>
    );
  }
  return <Loaded query={query}>{(before) => <ChangesTable before={before.spec} after={of.spec} />}</Loaded>;
}
