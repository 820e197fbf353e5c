import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, FormPanel, List, Markdown, Section, TextArea, Time, useForm, useSession } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { FlagFrame } from "../flags/frame";
import type { Flag } from "../flags/model";

type Comment = Schemas["FlagComment"];

const PATH = "/api/v1/feature-flags/{id}/comments";

/** What people said about a flag. */
export default function FlagComments() {
  return <FlagFrame>{(flag) => <Comments flag={flag} />}</FlagFrame>;
}

function Comments({ flag }: { flag: Flag }) {
  const queries = useQueryClient();
  const { session, organization } = useSession();
  const refresh = () => queries.invalidateQueries({ queryKey: [PATH] });
  const mayRemove = (comment: Comment) => comment.author === session?.user.id || organization?.role === "owner" || organization?.role === "admin";
  const remove = async (comment: Comment) => {
    const path = { id: flag.id, comment: comment.id };
    await client.DELETE("/api/v1/feature-flags/{id}/comments/{comment}", { params: { path, header: ifMatch(comment) } });
    await refresh();
  };
  return (
    <Section title="Comments" text="Why it is as it is, and what you wait for. What was said is not changed, only removed.">
      <NewComment flag={flag} after={refresh} />
      <div className="mt-6">
        <List<Comment>
          label="Comments"
          load={({ cursor }) => read(PATH, { params: { path: { id: flag.id }, query: { cursor } } })}
          columns={[
            { title: "When", cell: (comment) => <Time at={comment.created_at} /> },
            { title: "Who", cell: (comment) => comment.author_name ?? <code className="text-ink-2">{comment.author}</code> },
            { title: "What", wide: true, cell: (comment) => <Markdown text={comment.text} /> },
            {
              title: "Actions",
              cell: (comment) =>
                mayRemove(comment) && (
                  <ConfirmButton small label="Remove" title="Remove the comment?" onConfirm={() => remove(comment)}>
                    Nobody will read it any more.
                  </ConfirmButton>
                ),
            },
          ]}
          empty={{ title: "Nobody has said anything yet", text: "Say what it is waiting for, or what you saw when it was on." }}
        />
      </div>
    </Section>
  );
}

/** The field for another one; empty again once it was sent. */
function NewComment({ flag, after }: { flag: Flag; after: () => Promise<unknown> }) {
  const form = useForm({
    initial: { text: "" },
    send: async (body) => done(await client.POST(PATH, { params: { path: { id: flag.id } }, body })),
    after: async () => {
      await after();
      form.reset();
    },
  });
  return (
    <FormPanel form={form} submit="Say it">
      <TextArea label="Your comment" pointer="/text" help="CommonMark." rows={3} value={form.values.text} set={(text) => form.set({ text })} />
    </FormPanel>
  );
}
