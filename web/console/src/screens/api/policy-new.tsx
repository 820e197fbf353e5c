import { ProblemError, type Schemas, client, done, read } from "@gateline/api-client";
import { Detail, FormPanel, Loaded, SelectField, TextArea, useForm, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Kind = Schemas["PolicyKind"];

/** A new policy of an API. */
export default function PolicyNew() {
  const id = useParam("id");
  const kinds = useQuery({ ...read("/api/v1/policies/kinds"), staleTime: Infinity });
  return (
    <Detail from={[`/apis/${id}/policies`, "Policies"]} title="Add a policy" text="One configured step of the request path, for every operation of the API.">
      <Loaded query={kinds}>{(list) => <PolicyForm kinds={list} apiId={id} />}</Loaded>
    </Detail>
  );
}

/** A configuration to begin with: what the schema gives as example, or its required properties. */
function beginning(kind: Kind | undefined): string {
  const schema = (kind?.schema ?? {}) as { examples?: unknown[]; required?: string[]; properties?: Record<string, { default?: unknown }> };
  if (schema.examples?.[0]) return JSON.stringify(schema.examples[0], null, 2);
  const names = schema.required ?? [];
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, schema.properties?.[name]?.default ?? null])), null, 2);
}

/** The configuration as it was typed; what is not JSON is told at its field, as the API tells everything else. */
function configOf(text: string): Record<string, never> {
  try {
    return JSON.parse(text || "{}") as Record<string, never>;
  } catch (error) {
    const detail = `This is not JSON: ${(error as Error).message}`;
    throw new ProblemError({ code: "policy_invalid", title: detail, errors: [{ pointer: "/config", code: "policy_invalid", detail, suggestion: "" }] });
  }
}

function PolicyForm(props: { kinds: Kind[]; apiId: string }) {
  const go = useGo();
  const form = useForm({
    initial: { kind: props.kinds[0]?.kind ?? "", config: beginning(props.kinds[0]) },
    send: async (values) => {
      const config = configOf(values.config);
      return done(await client.POST("/api/v1/policies", { body: { api_id: props.apiId, kind: values.kind, config } }));
    },
    after: () => go(`/apis/${props.apiId}/policies`),
  });
  const kind = props.kinds.find((each) => each.kind === form.values.kind);
  return (
    <FormPanel form={form} submit="Add policy" cancel={`/apis/${props.apiId}/policies`}>
      <SelectField
        label="Policy"
        pointer="/kind"
        help={kind?.description}
        value={form.values.kind}
        set={(value) => form.set({ kind: value, config: beginning(props.kinds.find((each) => each.kind === value)) })}
        options={props.kinds.map((each) => [each.kind, each.title])}
      />
      <TextArea
        label="Configuration"
        pointer="/config"
        mono
        rows={10}
        help="JSON. The schema below says what may stand here."
        value={form.values.config}
        set={(config) => form.set({ config })}
      />
      <details className="text-sm">
        <summary className="w-fit text-ink-2 hover:text-ink">Schema of the configuration</summary>
        <pre className="mt-2 max-h-80 overflow-auto rounded-md border border-line bg-sunken p-3" tabIndex={0} role="region" aria-label="Schema">
          {JSON.stringify(kind?.schema, null, 2)}
        </pre>
      </details>
    </FormPanel>
  );
}
