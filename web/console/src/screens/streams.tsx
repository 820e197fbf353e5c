import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Command, ListPage, Time } from "@gateline/ui";

type StreamRoute = Schemas["StreamRoute"];

/** What a stream route takes, in one line. */
function taken({ hosts, port }: StreamRoute): string {
  const first = hosts?.[0];
  if (!first) return `all at :${port}`;
  const more = (hosts?.length ?? 1) - 1;
  return `${first}${port ? `:${port}` : ""}${more > 0 ? ` and ${more} more` : ""}`;
}

/** All stream routes. */
export default function Streams() {
  const create = (
    <ButtonLink to="/streams/new" kind="primary">
      Add a stream route
    </ButtonLink>
  );
  return (
    <ListPage<StreamRoute>
      title="Streams"
      label="Stream routes"
      text="Connections that pass without being read: TLS by the host that a client names, or whatever comes to a port."
      actions={create}
      load={({ q, cursor }) => read("/api/v1/stream-routes", { params: { query: { q, cursor } } })}
      searchable
      to={(route) => `/streams/${route.id}`}
      columns={[
        { title: "Name", wide: true, cell: (route) => route.name },
        { title: "Takes", cell: (route) => <code>{taken(route)}</code> },
        { title: "Environment", cell: (route) => route.environment },
        { title: "On", minor: true, cell: (route) => (route.enabled === false ? "no" : "yes") },
        { title: "Changed", minor: true, cell: (route) => <Time at={route.updated_at} /> },
      ]}
      empty={{
        title: "Nothing passes unread yet",
        text: (
          <>
            <p>For databases, message brokers, and services that end TLS themselves. The upstream has targets at tcp://.</p>
            <Command text="gateline apply streams.yaml" />
          </>
        ),
        action: create,
      }}
    />
  );
}
