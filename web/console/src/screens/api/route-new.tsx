import { client, done, read } from "@gateline/api-client";
import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RouteForm } from "./route-form";

/** A new route of an API. */
export default function RouteNew() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const query = useQuery(read("/api/v1/apis/{id}", { params: { path: { id } } }));
  const list = `/apis/${id}/routes`;
  return (
    <Loaded query={query}>
      {(api) => (
        <Detail from={[list, `${api.title}: routes`]} title="Add a route" text="Makes a version reachable at an address. Gateways know it within a second.">
          <RouteForm
            api={api}
            submit="Add route"
            cancel={list}
            send={async ({ host, body_bytes_max, enabled, ...spec }) => {
              const body = { ...spec, ...(host ? { host } : {}), ...(body_bytes_max === null ? {} : { body_bytes_max }), enabled: enabled ?? true };
              return done(await client.POST("/api/v1/routes", { body }));
            }}
            after={() => {
              void queries.invalidateQueries({ queryKey: ["/api/v1/routes"] });
              go(list);
            }}
          />
        </Detail>
      )}
    </Loaded>
  );
}
