import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { ActionButton, ButtonLink, Command, CopyButton, List, State, bytes } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ApiFrame } from "./frame";

type Route = Schemas["Route"];

/** How requests find the API. */
export default function ApiRoutes() {
  return <ApiFrame>{(api, versions) => <Routes api={api} versions={versions} />}</ApiFrame>;
}

function Routes({ api, versions }: { api: Schemas["Api"]; versions: Schemas["Version"][] }) {
  const queries = useQueryClient();
  const upstreams = useQuery(read("/api/v1/upstreams", { params: { query: { limit: 200 } } }));
  const turn = async (route: Route) => {
    await client.PATCH("/api/v1/routes/{id}", {
      params: { path: { id: route.id }, header: ifMatch(route) },
      body: { enabled: !route.enabled },
    });
    await queries.invalidateQueries({ queryKey: ["/api/v1/routes"] });
  };
  const add = (
    <ButtonLink to={`/apis/${api.id}/routes/new`} kind="primary">
      Add a route
    </ButtonLink>
  );
  return (
    <List<Route>
      label="Routes"
      add={add}
      load={({ cursor }) => read("/api/v1/routes", { params: { query: { cursor, "filter[api]": api.id } } })}
      columns={[
        {
          title: "Address",
          wide: true,
          cell: (route) => (
            <span className="flex items-baseline gap-1">
              <Link to={`/apis/${api.id}/routes/${route.id}`} className="font-medium hover:text-accent hover:underline">
                <code className="break-all">{route.url}</code>
              </Link>
              <CopyButton text={route.url} label={`Copy ${route.url}`} />
            </span>
          ),
        },
        { title: "Environment", cell: (route) => route.environment },
        { title: "Version", cell: (route) => versions.find((each) => each.id === route.version_id)?.name ?? route.version_id },
        {
          title: "Upstream",
          wide: true,
          cell: (route) =>
            route.upstream_id ? (
              <Link to={`/upstreams/${route.upstream_id}`} className="link">
                {upstreams.data?.data.find((each) => each.id === route.upstream_id)?.name ?? route.upstream_id}
              </Link>
            ) : route.split ? (
              route.split.variants.map((variant) => `${variant.name} ${variant.weight}`).join(", ")
            ) : route.redirect ? (
              `redirects (${route.redirect.status})`
            ) : (
              `answers ${route.answer?.status ?? ""}`
            ),
        },
        { title: "Conditions", minor: true, cell: (route) => Object.keys(route.match).join(", ") || "none" },
        { title: "Largest body", numeric: true, minor: true, cell: (route) => bytes(route.body_bytes_max) },
        { title: "State", cell: (route) => <State of={route.enabled ? "enabled" : "off"} /> },
        { title: "Actions", cell: (route) => <ActionButton small label={route.enabled ? "Turn off" : "Turn on"} act={() => turn(route)} /> },
      ]}
      empty={{
        title: "Not reachable yet",
        action: add,
        text: (
          <>
            <p>A route joins a version, an environment and an upstream.</p>
            <Command text={`gateline import openapi.yaml --name ${api.name} --upstream http://127.0.0.1:9000 --publish`} />
          </>
        ),
      }}
    />
  );
}
