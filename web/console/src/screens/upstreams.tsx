import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, Time, duration } from "@gateline/ui";

type Upstream = Schemas["Upstream"];

/** All upstreams. */
export default function Upstreams() {
  const create = (
    <ButtonLink to="/upstreams/new" kind="primary">
      Add an upstream
    </ButtonLink>
  );
  return (
    <ListPage<Upstream>
      title="Upstreams"
      label="Upstreams"
      text="The services behind, each with one or more addresses."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/upstreams", { params: { query: { q, cursor } } })}
      searchable
      to={(upstream) => `/upstreams/${upstream.id}`}
      columns={[
        { title: "Name", wide: true, cell: (upstream) => upstream.name },
        {
          title: "Targets",
          cell: (upstream) => (
            <code>
              {upstream.targets[0]?.url ?? upstream.targets_file}
              {upstream.targets.length > 1 && ` and ${upstream.targets.length - 1} more`}
            </code>
          ),
        },
        { title: "Protocol", cell: (upstream) => (upstream.protocol === "http2" ? "HTTP/2" : "HTTP/1.1") },
        { title: "Time to answer", numeric: true, minor: true, cell: (upstream) => duration((upstream.timeouts?.answer_ms ?? 30_000) * 1000) },
        { title: "Changed", minor: true, cell: (upstream) => <Time at={upstream.updated_at} /> },
      ]}
      empty={{
        title: "No service behind yet",
        text: (
          <>
            <p>An import with an address makes one. You can also add it by hand and point routes to it.</p>
            <Command text="gateline import openapi.yaml --upstream http://127.0.0.1:9000 --publish" />
          </>
        ),
        action: create,
      }}
    />
  );
}
