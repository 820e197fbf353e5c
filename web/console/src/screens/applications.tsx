import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, Time, summary } from "@gateline/ui";

type Application = Schemas["Application"];

/** The organization's own applications. */
export default function Applications() {
  const create = (
    <ButtonLink to="/applications/new" kind="primary">
      Create an application
    </ButtonLink>
  );
  return (
    <ListPage<Application>
      title="Applications"
      label="Applications"
      text="Programs of this organization that call APIs. Those of your consumers stand with the product they subscribed to."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/applications", { params: { query: { q, cursor } } })}
      searchable
      to={(application) => `/applications/${application.id}`}
      columns={[
        { title: "Title", wide: true, cell: (application) => application.title },
        { title: "Name", cell: (application) => <code>{application.name}</code> },
        { title: "About", minor: true, cell: (application) => <span className="text-ink-2">{summary(application.description ?? "", 80)}</span> },
        { title: "Made", cell: (application) => <Time at={application.created_at} /> },
      ]}
      empty={{
        title: "Try your own API",
        text: (
          <>
            <p>An application holds subscriptions and keys. One line makes all three:</p>
            <Command text="gateline keys create --api shop --plan free" />
          </>
        ),
        action: create,
      }}
    />
  );
}
