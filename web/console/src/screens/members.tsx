import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { Command, ConfirmButton, ListPage, Time } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

type Membership = Schemas["Membership"];

const roles: Membership["role"][] = ["viewer", "experimenter", "publisher", "admin", "owner"];

/** Who may do what in the organization. */
export default function Members() {
  const queries = useQueryClient();
  const [problem, setProblem] = useState<Error>();
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/memberships"] });
  const change = async (member: Membership, role: Membership["role"]) => {
    setProblem(undefined);
    try {
      await client.PATCH("/api/v1/memberships/{id}", { params: { path: { id: member.id }, header: ifMatch(member) }, body: { role } });
    } catch (error) {
      setProblem(error as Error);
    }
    await refresh();
  };
  return (
    <>
      {problem && (
        <p role="alert" className="mb-4 rounded-md bg-bad-soft px-3 py-2 text-bad">
          {problem.message}
        </p>
      )}
      <ListPage<Membership>
        title="Members"
        label="Members"
        text="People of the organization and their roles. Each role may do all that the ones before it may: viewer, experimenter, publisher, admin, owner."
        load={({ cursor }) => read("/api/v1/memberships", { params: { query: { cursor } } })}
        columns={[
          { title: "Email", cell: (member) => member.email },
          {
            title: "Role",
            cell: (member) => (
              <select
                aria-label={`Role of ${member.email}`}
                className="input w-auto"
                value={member.role}
                onChange={(event) => void change(member, event.target.value as Membership["role"])}
              >
                {roles.map((role) => (
                  <option key={role}>{role}</option>
                ))}
              </select>
            ),
          },
          { title: "Where", cell: (member) => (member.workspace_id ? <code>{member.workspace_id}</code> : "Whole organization") },
          { title: "Since", minor: true, cell: (member) => <Time at={member.created_at} /> },
          {
            title: "Actions",
            cell: (member) => (
              <ConfirmButton
                label="Remove"
                  small
                title={`Remove ${member.email}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/memberships/{id}", { params: { path: { id: member.id }, header: ifMatch(member) } });
                  await refresh();
                }}
              >
                They lose access to this organization at once; their account stays.
              </ConfirmButton>
            ),
          },
        ]}
        empty={{ title: "Nobody", text: <Command text="gateline login" /> }}
      />
    </>
  );
}
