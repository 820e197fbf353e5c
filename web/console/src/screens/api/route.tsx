import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { Badge, ConfirmButton, Copyable, Detail, Loaded, Said, Section, State, Time, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RouteForm } from "./route-form";
import { RouteMirror } from "./route-mirror";

/** One route and its form. */
export default function RouteScreen() {
  const id = useParam("id");
  const api = useQuery(read("/api/v1/apis/{id}", { params: { path: { id } } }));
  const route = useQuery(read("/api/v1/routes/{id}", { params: { path: { id: useParam("route") } } }));
  return (
    <Loaded query={api}>{(each) => <Loaded query={route}>{(found) => <RouteOf key={found.revision} api={each} route={found} />}</Loaded>}</Loaded>
  );
}

function RouteOf({ api, route }: { api: Schemas["Api"]; route: Schemas["Route"] }) {
  const go = useGo();
  const queries = useQueryClient();
  const list = `/apis/${api.id}/routes`;
  const params = { path: { id: route.id }, header: ifMatch(route) };
  const leave = () => {
    void queries.invalidateQueries({ queryKey: ["/api/v1/routes"] });
    go(list);
  };
  return (
    <Detail
      from={[list, `${api.title}: routes`]}
      title={route.url}
      status={<State of={route.enabled ? "enabled" : "off"} />}
      actions={
        <ConfirmButton
          label="Delete"
          title="Delete the route?"
          onConfirm={async () => {
            await client.DELETE("/api/v1/routes/{id}", { params });
            leave();
          }}
        >
          <p className="break-words">
            Calls to <code>{route.url}</code> get 404 within a second. The version and the upstream stay.
          </p>
        </ConfirmButton>
      }
      facts={[
        ["Address", <Copyable key="url" text={route.url} />],
        ["Id", <Copyable key="id" text={route.id} />],
        ["Made", <Time key="made" at={route.created_at} />],
        ["Changed", <Time key="changed" at={route.updated_at} />],
      ]}
    >
      {route.findings?.map((finding) => (
        <p key={finding.pointer + finding.code} className="mb-6 rounded-md border border-line-strong bg-sunken px-3 py-2">
          <Badge tone="warn">{finding.severity}</Badge> <Said text={`${finding.detail} ${finding.suggestion}`} />
        </p>
      ))}
      {route.mirror && <RouteMirror id={route.id} />}
      <Section title="Settings">
        <RouteForm
          api={api}
          route={route}
          submit="Save changes"
          cancel={list}
          send={async (body) => {
            const changed = done(await client.PATCH("/api/v1/routes/{id}", { params, body }));
            await queries.invalidateQueries({ queryKey: ["/api/v1/routes/{id}"], refetchType: "none" });
            return changed;
          }}
          after={leave}
        />
      </Section>
    </Detail>
  );
}
