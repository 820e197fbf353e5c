import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, ListPage, Time, summary } from "@gateline/ui";
import { SignedIn } from "../shell";

/** The consumer's applications. */
export default function Applications() {
  const create = (
    <ButtonLink to="/applications/new" kind="primary">
      Create an application
    </ButtonLink>
  );
  return (
    <SignedIn>
      <ListPage<Schemas["Application"]>
        title="Applications"
        label="Applications"
        text="Your programs. Each has its own subscriptions, keys and usage."
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
          title: "Create the first application",
          text: "It holds what your program is subscribed to, and its keys. Or begin in the catalogue: choosing a product makes the application on the way.",
          action: (
            <span className="flex gap-2">
              {create}
              <ButtonLink to="/">Catalogue</ButtonLink>
            </span>
          ),
        }}
      />
    </SignedIn>
  );
}
