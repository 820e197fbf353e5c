import { read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, Said, Time } from "@gateline/ui";
import type { Segment } from "../flags/model";
import { conditionInWords } from "../flags/words";

type Order = "-created_at" | "created_at" | "name" | "-name";

/** All segments. */
export default function Segments() {
  const create = (
    <ButtonLink to="/segments/new" kind="primary">
      Create a segment
    </ButtonLink>
  );
  return (
    <ListPage<Segment>
      title="Segments"
      label="Segments"
      text="Audiences with a name, the same in every environment. Rules of flags name them, so that who is in one is said once."
      actions={create}
      load={({ q, cursor, sort }) => read("/api/v1/segments", { params: { query: { q, cursor, sort: sort as Order | undefined } } })}
      searchable
      orders={[
        ["-created_at", "Newest first"],
        ["created_at", "Oldest first"],
        ["name", "By key"],
        ["-name", "By key, falling"],
      ]}
      to={(segment) => `/segments/${segment.id}`}
      columns={[
        { title: "Key", wide: true, cell: (segment) => <code>{segment.key}</code> },
        { title: "Title", wide: true, minor: true, cell: (segment) => segment.title || <span className="text-ink-2">–</span> },
        { title: "Who is in it", wide: true, cell: (segment) => <Said text={conditionInWords(segment.when)} /> },
        { title: "Changed", minor: true, cell: (segment) => <Time at={segment.updated_at} /> },
      ]}
      empty={{
        title: "Make the first segment",
        text: (
          <>
            <p>Beta testers, your own staff, customers of a plan: say once who they are, and name them in the rules of any flag. They can stand in a file beside the flags:</p>
            <Command text="gateline flags apply flags.yaml" />
          </>
        ),
        action: create,
      }}
    />
  );
}
