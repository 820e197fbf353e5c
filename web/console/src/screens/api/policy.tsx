import { type Schemas, client, done, ifMatch, read } from "@gateline/api-client";
import { ConfirmButton, Copyable, Detail, Loaded, Said, State, Time, mergePatch, useGo, useParam } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { PolicyForm } from "./policy-form";

type Kind = Schemas["PolicyKind"];

/** One policy and its form. */
export default function PolicyScreen() {
  const id = useParam("id");
  const kinds = useQuery({ ...read("/api/v1/policies/kinds"), staleTime: Infinity });
  const policy = useQuery(read("/api/v1/policies/{id}", { params: { path: { id: useParam("policy") } } }));
  const versions = useQuery(read("/api/v1/apis/{id}/versions", { params: { path: { id } } }));
  return (
    <Loaded query={kinds}>
      {(all) => (
        <Loaded query={policy}>
          {(each) => (
            <Loaded query={versions}>{(page) => <PolicyOf key={each.revision} policy={each} kinds={all} versionId={page.data[0]?.id} />}</Loaded>
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

function PolicyOf({ policy, kinds, versionId }: { policy: Schemas["Policy"]; kinds: Kind[]; versionId: string | undefined }) {
  const go = useGo();
  const queries = useQueryClient();
  const kind = kinds.find((each) => each.kind === policy.kind);
  const list = `/apis/${policy.api_id}/policies`;
  const params = { path: { id: policy.id }, header: ifMatch(policy) };
  const leave = () => {
    void queries.invalidateQueries({ queryKey: ["/api/v1/policies"] });
    go(list);
  };
  return (
    <Detail
      from={[list, "Policies"]}
      title={kind?.title ?? policy.kind}
      status={<State of={policy.enabled ? "enabled" : "off"} />}
      text={kind && <Said text={kind.description} />}
      actions={
        <ConfirmButton
          label="Remove"
          title={`Remove ${kind?.title ?? policy.kind}?`}
          onConfirm={async () => {
            await client.DELETE("/api/v1/policies/{id}", { params });
            leave();
          }}
        >
          Gateways stop to apply it within a second.
        </ConfirmButton>
      }
      facts={[
        ["Id", <Copyable key="id" text={policy.id} />],
        ["Made", <Time key="made" at={policy.created_at} />],
        ["Changed", <Time key="changed" at={policy.updated_at} />],
      ]}
    >
      <PolicyForm
        kinds={kinds}
        versionId={versionId}
        policy={policy}
        submit="Save changes"
        cancel={list}
        send={async ({ config, operation_id, position, audience }) => {
          const whom = audience === undefined ? {} : { audience: audience as Schemas["Audience"] };
          const body = { config: mergePatch(policy.config, config) as typeof config, operation_id, position, ...whom };
          const changed = done(await client.PATCH("/api/v1/policies/{id}", { params, body }));
          await queries.invalidateQueries({ queryKey: ["/api/v1/policies/{id}"], refetchType: "none" });
          return changed;
        }}
        after={leave}
      />
    </Detail>
  );
}
