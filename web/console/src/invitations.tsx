/** Open invitations of the organization, and the form that makes one. */
import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Command, ConfirmButton, FormPanel, List, Section, SelectField, TextField, Time, moment, useForm } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";

type Invitation = Schemas["Invitation"];
type Role = Schemas["Role"];

/** What each role may do; each also what the ones before it may. */
export const roles: [Role, string][] = [
  ["viewer", "Viewer: reads"],
  ["experimenter", "Experimenter: runs experiments"],
  ["publisher", "Publisher: changes APIs, products and plans"],
  ["admin", "Admin: people, environments, settings"],
  ["owner", "Owner: everything"],
];

/** The workspaces by id, for names where the API gives ids. */
export function useWorkspaces(): Schemas["Workspace"][] {
  return useQuery(read("/api/v1/workspaces", { params: { query: { limit: 200 } } })).data?.data ?? [];
}

/** Where a role counts, in words. */
export function Where({ id, workspaces }: { id: string | undefined; workspaces: Schemas["Workspace"][] }) {
  if (!id) return "Whole organization";
  return workspaces.find((each) => each.id === id)?.title ?? <code>{id}</code>;
}

/** Invitations that wait for their answer. */
export function OpenInvitations() {
  const queries = useQueryClient();
  const workspaces = useWorkspaces();
  return (
    <Section title="Open invitations" text="Their links were shown when they were made, and work once.">
      <List<Invitation>
        label="Open invitations"
        under="invitations"
        load={({ cursor }) => read("/api/v1/invitations", { params: { query: { cursor, "filter[accepted]": "false" } } })}
        columns={[
          { title: "Email", wide: true, cell: (invitation) => <span className="break-all">{invitation.email}</span> },
          { title: "Role", cell: (invitation) => invitation.role },
          { title: "Where", cell: (invitation) => <Where id={invitation.workspace_id} workspaces={workspaces} /> },
          { title: "Made", minor: true, cell: (invitation) => <Time at={invitation.created_at} /> },
          { title: "Ends", cell: (invitation) => <Time at={invitation.expires_at} /> },
          {
            title: "Actions",
            cell: (invitation) => (
              <ConfirmButton
                label="Withdraw"
                small
                title="Withdraw the invitation?"
                onConfirm={async () => {
                  await client.DELETE("/api/v1/invitations/{id}", { params: { path: { id: invitation.id }, header: ifMatch(invitation) } });
                  await queries.invalidateQueries({ queryKey: ["/api/v1/invitations"] });
                }}
              >
                <p className="break-words">The link that {invitation.email} has is of no use any more.</p>
              </ConfirmButton>
            ),
          },
        ]}
        empty={{ title: "Nobody is invited", text: "Invite somebody above; they choose their own password." }}
      />
    </Section>
  );
}

const DAY = 86_400;

/** Makes an invitation. */
export function InviteForm({ after }: { after: (issued: Schemas["IssuedInvitation"]) => void }) {
  const queries = useQueryClient();
  const workspaces = useWorkspaces();
  const form = useForm({
    initial: { email: "", role: "publisher", workspace_id: "", expires_in: String(7 * DAY) },
    send: async ({ workspace_id, ...values }) => {
      const body = { email: values.email, role: values.role as Role, expires_in: Number(values.expires_in), ...(workspace_id ? { workspace_id } : {}) };
      return done(await client.POST("/api/v1/invitations", { body }));
    },
    after: async (issued) => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/invitations"] });
      after(issued);
    },
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit="Make the invitation" unguarded>
      <TextField label="Email" pointer="/email" type="email" value={values.email} set={(email) => set({ email })} />
      <SelectField label="Role" pointer="/role" value={values.role} set={(role) => set({ role })} options={roles} />
      {workspaces.length > 0 && (
        <SelectField
          label="Where"
          pointer="/workspace_id"
          value={values.workspace_id}
          set={(workspace_id) => set({ workspace_id })}
          options={[["", "Whole organization"], ...workspaces.map((each): [string, string] => [each.id, `Workspace ${each.title}`])]}
        />
      )}
      <SelectField
        label="Good for"
        pointer="/expires_in"
        value={values.expires_in}
        set={(expires_in) => set({ expires_in })}
        options={[
          [String(DAY), "A day"],
          [String(7 * DAY), "A week"],
          [String(30 * DAY), "30 days"],
        ]}
      />
    </FormPanel>
  );
}

/** A link that is shown once, to be handed over. */
export function OnceLink(props: { url: string; expiresAt: string; text: string }) {
  return (
    <div className="space-y-4">
      <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">This is the only time the link is shown. Gateline sends no mail: hand it over yourself.</p>
      <Command label="Link" text={props.url} />
      <p className="break-words text-ink-2">
        {props.text} It works once, until {moment(props.expiresAt)}.
      </p>
    </div>
  );
}
