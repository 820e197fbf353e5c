import { client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, Copyable, Detail, Loaded, Time, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { StreamForm } from "./stream-form";

/** One stream route and its form. */
export default function StreamScreen() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const path = { params: { path: { id } } };
  const query = useQuery(read("/api/v1/stream-routes/{id}", path));
  return (
    <Loaded query={query}>
      {(route) => (
        <Detail
          from={["/streams", "Streams"]}
          title={route.name}
          actions={
            <ConfirmButton
              label="Delete"
              title={`Delete ${route.name}?`}
              onConfirm={async () => {
                await client.DELETE("/api/v1/stream-routes/{id}", { params: { path: { id }, header: ifMatch(route) } });
                go("/streams");
              }}
            >
              Connections that are open go on until they end; new ones are not passed on any more.
            </ConfirmButton>
          }
          facts={[
            ["Id", <Copyable key="id" text={route.id} />],
            ["Made", <Time key="made" at={route.created_at} />],
            ["Changed", <Time key="changed" at={route.updated_at} />],
          ]}
        >
          <StreamForm
            key={route.revision}
            route={route}
            submit="Save changes"
            send={async (body) =>
              done(await client.PATCH("/api/v1/stream-routes/{id}", { params: { path: { id }, header: ifMatch(route) }, body }))
            }
            after={() => void queries.invalidateQueries({ queryKey: ["/api/v1/stream-routes/{id}"] })}
          />
        </Detail>
      )}
    </Loaded>
  );
}
