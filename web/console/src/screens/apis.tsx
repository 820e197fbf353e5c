import { type Schemas, read } from "@gateline/api-client";
import { Badge, ButtonLink, Command, ListPage, Time, summary } from "@gateline/ui";

type Api = Schemas["Api"];

/** All APIs. */
export default function Apis() {
  return (
    <ListPage<Api>
      title="APIs"
      label="APIs"
      text="Named interfaces. Each has versions, each version one contract, reached through routes."
      actions={
        <ButtonLink to="/apis/import" kind="primary">
          Import an API
        </ButtonLink>
      }
      load={({ q, cursor, tag }) => read("/api/v1/apis", { params: { query: { q, cursor, "filter[tag]": tag } } })}
      searchable
      to={(api) => `/apis/${api.id}`}
      columns={[
        { title: "Title", wide: true, cell: (api) => api.title },
        { title: "Name", cell: (api) => <code>{api.name}</code> },
        { title: "About", minor: true, cell: (api) => <span className="text-ink-2">{summary(api.description ?? "", 70)}</span> },
        {
          title: "Tags",
          minor: true,
          cell: (api) => (
            <span className="flex gap-1">
              {api.tags?.slice(0, 3).map((tag) => (
                <Badge key={tag}>{tag}</Badge>
              ))}
            </span>
          ),
        },
        { title: "Changed", cell: (api) => <Time at={api.updated_at} /> },
      ]}
      empty={{
        title: "Import the first API",
        text: (
          <>
            <p>An OpenAPI 3.0 or 3.1 document is all it takes: paste it here, or import the file from a terminal.</p>
            <Command text={"gateline import openapi.yaml --upstream http://127.0.0.1:9000 --publish"} />
          </>
        ),
        action: (
          <ButtonLink to="/apis/import" kind="primary">
            Import an API
          </ButtonLink>
        ),
      }}
    />
  );
}
