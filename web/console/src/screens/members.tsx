import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Button, Command, ConfirmButton, Dialog, FormPanel, ListPage, SelectField, Time, useForm, useSession } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { InviteForm, OnceLink, OpenInvitations, Where, roles, useWorkspaces } from "../invitations";

type Membership = Schemas["Membership"];

/** What is shown above the list. */
type Shown =
  | { kind: "invite" }
  | { kind: "role"; member: Membership }
  | { kind: "reset"; member: Membership }
  | { kind: "link"; title: string; url: string; expiresAt: string; text: string };

/** Who may do what in the organization, and who is invited to. */
export default function Members() {
  const [shown, setShown] = useState<Shown>();
  const workspaces = useWorkspaces();
  const { session } = useSession();
  const invite = (
    <Button kind="primary" onClick={() => setShown({ kind: "invite" })}>
      Invite somebody
    </Button>
  );
  return (
    <>
      <ListPage<Membership>
        title="Members"
        label="Members"
        text="People of the organization and their roles. Each role may do all that the ones before it may: viewer, experimenter, publisher, admin, owner."
        actions={invite}
        load={({ cursor }) => read("/api/v1/memberships", { params: { query: { cursor } } })}
        columns={[
          {
            title: "Email",
            wide: true,
            cell: (member) => (
              <span className="break-all">
                {member.email} {member.user_id === session?.user.id && <span className="text-ink-2">(you)</span>}
              </span>
            ),
          },
          { title: "Role", cell: (member) => member.role },
          { title: "Where", cell: (member) => <Where id={member.workspace_id} workspaces={workspaces} /> },
          { title: "Since", minor: true, cell: (member) => <Time at={member.created_at} /> },
          { title: "Actions", cell: (member) => <Actions member={member} show={setShown} /> },
        ]}
        empty={{ title: "Nobody", text: <Command text="gateline login" />, action: invite }}
      />
      <OpenInvitations />
      <Shower shown={shown} show={setShown} />
    </>
  );
}

function Actions({ member, show }: { member: Membership; show: (shown: Shown) => void }) {
  const queries = useQueryClient();
  return (
    <span className="flex gap-2">
      <Button small onClick={() => show({ kind: "role", member })}>
        Change role
      </Button>
      <Button small onClick={() => show({ kind: "reset", member })}>
        New password
      </Button>
      <ConfirmButton
        label="Remove"
        small
        title={`Remove ${member.email}?`}
        onConfirm={async () => {
          await client.DELETE("/api/v1/memberships/{id}", { params: { path: { id: member.id }, header: ifMatch(member) } });
          await queries.invalidateQueries({ queryKey: ["/api/v1/memberships"] });
        }}
      >
        They lose access to this organization at once; their account stays.
      </ConfirmButton>
    </span>
  );
}

/** The window above the list. */
function Shower({ shown, show }: { shown: Shown | undefined; show: (shown?: Shown) => void }) {
  const close = () => show();
  const window = (title: string, children: ReactNode, wide?: boolean) => (
    <Dialog open onClose={close} title={title} wide={wide ?? false}>
      {children}
    </Dialog>
  );
  switch (shown?.kind) {
    case undefined:
      return null;
    case "invite":
      return window(
        "Invite somebody",
        <InviteForm
          after={(issued) =>
            show({
              kind: "link",
              title: "The invitation",
              url: issued.url,
              expiresAt: issued.expires_at,
              text: `Who opens it joins as ${issued.role}, with an account of the address ${issued.email}.`,
            })
          }
        />,
      );
    case "role":
      return window(`Role of ${shown.member.email}`, <RoleForm member={shown.member} after={close} />);
    case "reset":
      return window(
        `A new password for ${shown.member.email}`,
        <ResetForm
          member={shown.member}
          after={(link) =>
            show({
              kind: "link",
              title: "The link for a new password",
              url: link.url,
              expiresAt: link.expires_at,
              text: `With it ${shown.member.email} chooses a new password.`,
            })
          }
        />,
      );
    case "link":
      return window(
        shown.title,
        <>
          <OnceLink {...shown} />
          <div className="mt-5 flex justify-end">
            <Button kind="primary" onClick={close}>
              I have copied it
            </Button>
          </div>
        </>,
        true,
      );
  }
}

function RoleForm({ member, after }: { member: Membership; after: () => void }) {
  const queries = useQueryClient();
  const form = useForm({
    initial: { role: member.role as string },
    send: async ({ role }) =>
      client.PATCH("/api/v1/memberships/{id}", {
        params: { path: { id: member.id }, header: ifMatch(member) },
        body: { role: role as Membership["role"] },
      }),
    after: async () => {
      await queries.invalidateQueries({ queryKey: ["/api/v1/memberships"] });
      after();
    },
  });
  return (
    <FormPanel form={form} submit="Change role" unguarded>
      <SelectField
        label="Role"
        pointer="/role"
        help="Counts from their next call on."
        value={form.values.role}
        set={(role) => form.set({ role })}
        options={roles}
      />
    </FormPanel>
  );
}

function ResetForm({ member, after }: { member: Membership; after: (link: Schemas["PasswordResetLink"]) => void }) {
  const form = useForm({
    initial: {},
    send: async () => done(await client.POST("/api/v1/users/{id}/password-reset", { params: { path: { id: member.user_id } } })),
    after,
  });
  return (
    <FormPanel form={form} submit="Make a link" unguarded>
      <p className="text-ink-2">For somebody who has forgotten theirs. The old one works until the link is used; an earlier link is of no use any more.</p>
    </FormPanel>
  );
}
