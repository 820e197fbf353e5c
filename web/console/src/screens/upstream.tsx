import { client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, Copyable, Detail, Loaded, Section, Time, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { UpstreamForm } from "./upstream-form";
import { UpstreamHealth } from "./upstream-health";

/** One upstream and its form. */
export default function UpstreamScreen() {
  const id = useParam("id");
  const go = useGo();
  const queries = useQueryClient();
  const path = { params: { path: { id } } };
  const query = useQuery(read("/api/v1/upstreams/{id}", path));
  return (
    <Loaded query={query}>
      {(upstream) => (
        <Detail
          from={["/upstreams", "Upstreams"]}
          title={upstream.name}
          actions={
            <ConfirmButton
              label="Delete"
              title={`Delete ${upstream.name}?`}
              onConfirm={async () => {
                await client.DELETE("/api/v1/upstreams/{id}", { params: { path: { id }, header: ifMatch(upstream) } });
                go("/upstreams");
              }}
            >
              An upstream that a route uses cannot be deleted; you are told which.
            </ConfirmButton>
          }
          facts={[
            ["Id", <Copyable key="id" text={upstream.id} />],
            ["Made", <Time key="made" at={upstream.created_at} />],
            ["Changed", <Time key="changed" at={upstream.updated_at} />],
          ]}
        >
          <UpstreamHealth id={upstream.id} />
          <Section title="Settings">
            <UpstreamForm
              key={upstream.revision}
              upstream={upstream}
              submit="Save changes"
              cancel="/upstreams"
              send={async (body) =>
                done(await client.PATCH("/api/v1/upstreams/{id}", { params: { path: { id }, header: ifMatch(upstream) }, body }))
              }
              after={() => void queries.invalidateQueries({ queryKey: ["/api/v1/upstreams/{id}"] })}
            />
          </Section>
        </Detail>
      )}
    </Loaded>
  );
}
