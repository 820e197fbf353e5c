import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, KeyState, LastUse, ListPage, Time } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

type Key = Schemas["Key"];

/** All keys of the organization's applications. */
export default function KeysScreen() {
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  return (
    <ListPage<Key>
      title="Keys"
      label="Keys"
      text="What the organization's applications call with. Make, rotate and revoke them in the application."
      actions={<ButtonLink to="/applications">Applications</ButtonLink>}
      load={({ cursor, state }) => read("/api/v1/keys", { params: { query: { cursor, "filter[state]": state as Key["state"] | undefined } } })}
      filters={[
        {
          name: "state",
          title: "State",
          options: [
            ["active", "Active"],
            ["revoked", "Revoked"],
          ],
        },
      ]}
      columns={[
        { title: "Key", cell: (key) => <code>{key.hint}</code> },
        { title: "Title", wide: true, cell: (key) => key.title || <span className="text-ink-2">–</span> },
        {
          title: "Application",
          cell: (key) => (
            <Link to={`/applications/${key.application_id}`} className="link">
              {applications.data?.data.find((each) => each.id === key.application_id)?.title ?? key.application_id}
            </Link>
          ),
        },
        { title: "Environment", cell: (key) => key.environment },
        { title: "State", cell: (key) => <KeyState of={key} /> },
        { title: "Made", minor: true, cell: (key) => <Time at={key.created_at} /> },
        { title: "Last used", cell: (key) => <LastUse of={key} /> },
        { title: "Ends", minor: true, cell: (key) => <Time at={key.revoked_at ?? key.expires_at} never="Never" /> },
      ]}
      empty={{
        title: "No key yet",
        text: (
          <>
            <p>One line makes an application, a subscription and a key:</p>
            <Command text="gateline keys create --api shop --plan free" />
          </>
        ),
      }}
    />
  );
}
