import { type Schemas, client, ifMatch, read } from "@gateline/api-client";
import { ActionButton, ButtonLink, Command, ConfirmButton, List, State } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiFrame } from "./frame";

type Policy = Schemas["Policy"];

/** The flags and segments of an audience. */
const named = ({ flags = [], segments = [] }: Schemas["Audience"]): string =>
  [...flags.map((flag) => flag.key), ...segments.map((segment) => (segment.not ? `not ${segment.key}` : segment.key))].join(", ");

/** The configured steps of the request path. */
export default function ApiPolicies() {
  return <ApiFrame>{(api) => <Policies api={api} />}</ApiFrame>;
}

function Policies({ api }: { api: Schemas["Api"] }) {
  const queries = useQueryClient();
  const kinds = useQuery({ ...read("/api/v1/policies/kinds"), staleTime: Infinity });
  const refresh = () => queries.invalidateQueries({ queryKey: ["/api/v1/policies"] });
  const title = (kind: string) => kinds.data?.find((each) => each.kind === kind)?.title ?? kind;
  const add = (
    <ButtonLink to={`/apis/${api.id}/policies/new`} kind="primary">
      Add a policy
    </ButtonLink>
  );
  const turn = async (policy: Policy) => {
    await client.PATCH("/api/v1/policies/{id}", {
      params: { path: { id: policy.id }, header: ifMatch(policy) },
      body: { enabled: !policy.enabled },
    });
    await refresh();
  };
  return (
    <List<Policy>
      label="Policies"
      add={add}
      to={(policy) => `/apis/${api.id}/policies/${policy.id}`}
      load={({ cursor }) => read("/api/v1/policies", { params: { query: { cursor, "filter[api]": api.id } } })}
      columns={[
        { title: "Policy", cell: (policy) => title(policy.kind) },
        { title: "Configuration", wide: true, cell: (policy) => <code className="break-all text-ink-2">{JSON.stringify(policy.config)}</code> },
        { title: "Applies to", cell: (policy) => (policy.operation_id ? <code>{policy.operation_id}</code> : "Every operation") },
        { title: "For", cell: (policy) => (policy.audience ? <code>{named(policy.audience)}</code> : "Everybody") },
        { title: "State", cell: (policy) => <State of={policy.enabled ? "enabled" : "off"} /> },
        {
          title: "Actions",
          cell: (policy) => (
            <span className="flex gap-2">
              <ActionButton small label={policy.enabled ? "Turn off" : "Turn on"} act={() => turn(policy)} />
              <ConfirmButton
                label="Remove"
                small
                title={`Remove ${title(policy.kind)}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/policies/{id}", { params: { path: { id: policy.id }, header: ifMatch(policy) } });
                  await refresh();
                }}
              >
                Gateways stop to apply it within a second.
              </ConfirmButton>
            </span>
          ),
        },
      ]}
      empty={{
        action: add,
        title: "Only what every API has",
        text: (
          <>
            <p>A key is required and the plan's limit and quota apply without any policy. Add one to change headers, allow browsers (CORS) or limit more.</p>
            <Command text="gateline apply -f gateline/" />
          </>
        ),
      }}
    />
  );
}
