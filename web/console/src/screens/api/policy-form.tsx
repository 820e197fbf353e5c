import { type Schemas, read } from "@gateline/api-client";
import { type Draft, Field, FormPanel, Loaded, Said, SchemaForm, SelectField, TextField, draftOf, figure, finished, useForm, usePause } from "@gateline/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useId, useMemo, useState } from "react";
import { type Json, schemaOf as partOf, patch, picked } from "../../schema-part";

type Kind = Schemas["PolicyKind"];
type Operation = Schemas["Operation"];

/** What a policy's form sends. */
export interface PolicyValues {
  kind: string;
  config: Record<string, never>;
  operation_id: string | null;
  position: number | null;
  /** A merge patch of the policy's. */
  audience: unknown;
}

interface PolicyFormProps {
  kinds: Kind[];
  versionId: string | undefined;
  policy?: Schemas["Policy"];
  submit: string;
  cancel: string;
  send: (values: PolicyValues) => Promise<unknown>;
  after: () => void;
}

/** The form of a policy, new or changed; its configuration's fields come from the schema of its kind. */
export function PolicyForm(props: PolicyFormProps) {
  const document = useQuery({ ...read("/api/v1/openapi.json"), staleTime: Infinity });
  return <Loaded query={document}>{(found) => <Fields {...props} document={found as Json} />}</Loaded>;
}

const AUDIENCE = ["audience"] as const;

function Fields(props: PolicyFormProps & { document: Json }) {
  const { kinds, policy } = props;
  const audience = useMemo(() => partOf(props.document, "PolicySpec", AUDIENCE), [props.document]);
  const schemaOf = (kind: string) => kinds.find((each) => each.kind === kind)?.schema;
  const first = policy?.kind ?? kinds[0]?.kind ?? "";
  const form = useForm({
    initial: {
      kind: first,
      draft: (policy ? { value: policy.config } : draftOf(schemaOf(first))) as Draft,
      operation: policy?.operation_id ?? "",
      position: String(policy?.position ?? ""),
      audience: { value: picked(policy ?? {}, AUDIENCE) } as Draft,
    },
    send: async ({ kind, draft, operation, position, audience: whom }) =>
      props.send({
        kind,
        config: finished(schemaOf(kind), draft, "/config") as Record<string, never>,
        operation_id: operation || null,
        position: figure(position) ?? null,
        audience: (patch(picked(policy ?? {}, AUDIENCE), finished(audience, whom, "")) as Json)["audience"],
      }),
    after: props.after,
  });
  const { values, set } = form;
  const kind = kinds.find((each) => each.kind === values.kind);
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      {!policy && (
        <SelectField
          label="Policy"
          pointer="/kind"
          help={kind && <Said text={kind.description} />}
          value={values.kind}
          set={(value) => set({ kind: value, draft: draftOf(schemaOf(value)) })}
          options={kinds.map((each) => [each.kind, each.title])}
        />
      )}
      {kind && (
        <SchemaForm
          key={kind.kind}
          label="Configuration"
          pointer="/config"
          schema={kind.schema}
          draft={values.draft}
          set={(draft) => set({ draft })}
        />
      )}
      {kind?.takes_audience && (
        <SchemaForm label="For whom" pointer="" schema={audience} draft={values.audience} set={(draft) => set({ audience: draft })} />
      )}
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <OperationField versionId={props.versionId} value={values.operation} set={(operation) => set({ operation })} />
        <TextField
          label="Order"
          optional
          pointer="/position"
          help="Policies of the same phase run from the lowest to the highest."
          placeholder="0"
          value={values.position}
          set={(position) => set({ position })}
        />
      </div>
    </FormPanel>
  );
}

const nameOf = (operation: Operation): string => `${operation.method} ${operation.path}`;

/** Which operation a policy is for; typed by a few letters, because a contract may have hundreds. */
function OperationField(props: { versionId: string | undefined; value: string; set: (id: string) => void }) {
  const list = useId();
  const [typed, setTyped] = useState("");
  const [asked, setAsked] = useState("");
  usePause(typed, asked, setAsked);
  const query = useQuery({
    ...read("/api/v1/versions/{id}/operations", {
      params: { path: { id: props.versionId ?? "" }, query: { limit: 200, ...(asked ? { q: asked } : {}) } },
    }),
    enabled: props.versionId !== undefined,
    placeholderData: keepPreviousData,
  });
  const operations = query.data?.data ?? [];
  const chosen = operations.find((each) => each.id === props.value);
  return (
    <Field label="Only for operation" optional pointer="/operation_id" help="Method and path. Empty: every operation.">
      {(attributes) => (
        <>
          <input
            {...attributes}
            className="input font-mono"
            list={list}
            autoComplete="off"
            placeholder="Every operation"
            value={chosen ? nameOf(chosen) : props.value}
            onChange={(event) => {
              setTyped(event.target.value);
              props.set(operations.find((each) => nameOf(each) === event.target.value)?.id ?? event.target.value);
            }}
          />
          <datalist id={list}>
            {operations.map((each) => (
              <option key={each.id} value={nameOf(each)}>
                {each.summary}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
