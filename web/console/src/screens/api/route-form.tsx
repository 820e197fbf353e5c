import { ProblemError, type Schemas, read } from "@gateline/api-client";
import {
  ButtonLink,
  type Draft,
  Empty,
  FormPanel,
  Loaded,
  SchemaForm,
  SelectField,
  TextArea,
  TextField,
  bytes,
  figure,
  finished,
  parsed,
  print,
  useForm,
} from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Json, choosing, patch, picked, schemaOf } from "../../schema-part";

type Spec = Schemas["RouteSpec"];
type Change = Omit<Schemas["RoutePatch"], "managed_by"> & Pick<Spec, "version_id" | "environment" | "base_path">;

/** The parts of a route that are written as JSON, with their fields: a merge patch has to name those that go. */
const PARTS = {
  match: ["path", "methods", "headers", "query", "cookies", "client_certificate", "when", "audience"],
  redirect: ["status", "scheme", "host", "port", "path", "prefix", "keep_query"],
  answer: ["status", "headers", "content_type", "body"],
  rewrite: ["prefix", "path", "regex", "host"],
  connect: ["ports", "idle_ms"],
} as const;

/** The parts whose form comes from the API's own document. */
const RELEASE = ["split", "mirror", "importance"] as const;

/** What an audience is made of: a merge patch has to name it as well. */
const AUDIENCE = ["flags", "segments", "attributes"] as const;

type Part = keyof typeof PARTS;
const NAMES = Object.keys(PARTS) as Part[];

/** What of a route is written as JSON; empty if there is nothing. */
function written(route: Schemas["Route"] | undefined): string {
  const parts = NAMES.filter((name) => route?.[name] && Object.keys(route[name]).length > 0).map((name) => [name, route?.[name]]);
  return parts.length === 0 ? "" : print(Object.fromEntries(parts));
}

/** A part with all of its fields, null where one is gone. */
const withAll = (names: readonly string[], part: object) => ({ ...Object.fromEntries(names.map((field) => [field, null])), ...part });

/** Reads it again: every part with every field, null where it is gone. */
function readParts(text: string): Pick<Change, Part> {
  const found = text.trim() ? parsed(text) : { value: {} };
  const value = "value" in found ? found.value : undefined;
  const wrong = "wrong" in found ? found.wrong : typeof value === "object" && value && !Array.isArray(value) ? undefined : "This is not an object.";
  const said = (value ?? {}) as Record<string, Record<string, unknown> | null>;
  const unknown = Object.keys(said).find((name) => !(NAMES as string[]).includes(name));
  if (wrong || unknown) {
    const detail = wrong ?? `\`${unknown}\` is unknown; there are ${NAMES.join(", ")}.`;
    throw new ProblemError({
      code: "request_invalid",
      title: "Conditions and actions are not complete",
      errors: [{ pointer: "/match", code: "field_invalid", detail, suggestion: "" }],
    });
  }
  const whole = (name: Part) => {
    const part = said[name];
    const audience = part?.["audience"];
    return part ? withAll(PARTS[name], audience && typeof audience === "object" ? { ...part, audience: withAll(AUDIENCE, audience) } : part) : null;
  };
  return Object.fromEntries(NAMES.map((name) => [name, whole(name)])) as Pick<Change, Part>;
}

interface RouteFormProps {
  api: Schemas["Api"];
  route?: Schemas["Route"];
  submit: string;
  cancel: string;
  send: (spec: Change) => Promise<{ id: string }>;
  after: () => void;
}

/** What a route joins: versions, environments and upstreams to choose from. */
interface Choices {
  versions: Schemas["Version"][];
  environments: Schemas["Environment"][];
  upstreams: Schemas["Upstream"][];
  document: Json;
}

/** The form of a route, new or changed. */
export function RouteForm(props: RouteFormProps) {
  const all = { params: { query: { limit: 200 } } };
  const versions = useQuery(read("/api/v1/apis/{id}/versions", { params: { path: { id: props.api.id }, query: { limit: 200 } } }));
  const environments = useQuery(read("/api/v1/environments", all));
  const upstreams = useQuery(read("/api/v1/upstreams", all));
  const document = useQuery({ ...read("/api/v1/openapi.json"), staleTime: Infinity });
  return (
    <Loaded query={versions}>
      {({ data }) => (
        <Loaded query={environments}>
          {(places) => (
            <Loaded query={upstreams}>
              {(services) => (
                <Loaded query={document}>
                  {(found) => <Choosing {...props} versions={data} environments={places.data} upstreams={services.data} document={found as Json} />}
                </Loaded>
              )}
            </Loaded>
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

function Choosing(props: RouteFormProps & Choices) {
  if (props.versions.length === 0) return <Empty title="No version yet">A route leads to a version. Import a contract to have one.</Empty>;
  if (props.upstreams.length === 0) {
    return (
      <Empty title="No service behind yet" action={<ButtonLink to="/upstreams/new" kind="primary">Add an upstream</ButtonLink>}>
        A route leads to an upstream: the address of the service that answers.
      </Empty>
    );
  }
  return <Fields {...props} />;
}

/** Where a new route begins: in the sandbox, if there is one. */
const beginning = (environments: Choices["environments"]): string =>
  (environments.find((each) => each.name === "sandbox") ?? environments[0])?.name ?? "";

function Fields(props: RouteFormProps & Choices) {
  const { api, route, document, upstreams } = props;
  const schema = useMemo(() => schemaOf(choosing(document, "UpstreamId", upstreams), "RouteSpec", RELEASE), [document, upstreams]);
  const form = useForm({
    initial: {
      version_id: route?.version_id ?? props.versions[0]?.id ?? "",
      upstream_id: route ? (route.upstream_id ?? "") : (props.upstreams[0]?.id ?? ""),
      environment: route?.environment ?? beginning(props.environments),
      host: route?.host ?? "",
      base_path: route?.base_path ?? `/${api.name}`,
      priority: String(route?.priority ?? 0),
      parts: written(route),
      release: { value: picked(route ?? {}, RELEASE) } as Draft,
      body_bytes_max: route ? String(route.body_bytes_max) : "",
      enabled: String(route?.enabled ?? true),
    },
    send: async ({ host, upstream_id, priority, parts, release, body_bytes_max, enabled, ...values }) =>
      props.send({
        ...values,
        ...readParts(parts),
        ...(patch(picked(route ?? {}, RELEASE), finished(schema, release, "")) as Partial<Change>),
        host: host.trim() || null,
        upstream_id: upstream_id || null,
        priority: figure(priority) ?? 0,
        body_bytes_max: figure(body_bytes_max) ?? null,
        enabled: enabled === "true",
      }),
    after: props.after,
  });
  const { values, set } = form;
  const largest = figure(values.body_bytes_max);
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Base path"
        pointer="/base_path"
        mono
        help="Stands before the contract's paths and is removed before forwarding: /shop, or / for none."
        value={values.base_path}
        set={(base_path) => set({ base_path })}
      />
      <TextField
        label="Host"
        optional
        pointer="/host"
        mono
        placeholder="api.example.com"
        help="Without port; *.example.com takes all names below it. Empty: the route answers on every host."
        value={values.host}
        set={(host) => set({ host })}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <SelectField
          label="Version"
          pointer="/version_id"
          value={values.version_id}
          set={(version_id) => set({ version_id })}
          options={props.versions.map((each) => [each.id, `${each.name} (${each.stage})`])}
        />
        <SelectField
          label="Environment"
          pointer="/environment"
          value={values.environment}
          set={(environment) => set({ environment })}
          options={props.environments.map((each) => [each.name, each.title])}
        />
        <SelectField
          label="Upstream"
          pointer="/upstream_id"
          help={
            <Link to="/upstreams/new" className="link">
              Add another upstream
            </Link>
          }
          value={values.upstream_id}
          set={(upstream_id) => set({ upstream_id })}
          options={[...props.upstreams.map((each): [string, string] => [each.id, each.name]), ["", "None: it splits calls, redirects or answers"]]}
        />
        <TextField
          label="Priority"
          pointer="/priority"
          help="Routes of one host and base path are tried from the highest to the lowest."
          value={values.priority}
          set={(priority) => set({ priority })}
        />
        <TextField
          label="Largest body (bytes)"
          optional
          pointer="/body_bytes_max"
          help={typeof largest === "number" ? `${bytes(largest)}. Larger requests get 413.` : "Empty: what every route has. Larger requests get 413."}
          value={values.body_bytes_max}
          set={(body_bytes_max) => set({ body_bytes_max })}
        />
        <SelectField
          label="State"
          pointer="/enabled"
          help="Off: calls get 404."
          value={values.enabled}
          set={(enabled) => set({ enabled })}
          options={[
            ["true", "On"],
            ["false", "Off"],
          ]}
        />
      </div>
      <TextArea
        label="Conditions and actions (JSON)"
        optional
        pointer="/match"
        mono
        rows={8}
        help={'match, redirect, answer, rewrite, connect: { "match": { "headers": [{ "name": "x-preview", "kind": "present" }] }, "rewrite": { "prefix": "/v2" } }'}
        value={values.parts}
        set={(parts) => set({ parts })}
      />
      <SchemaForm label="Release" pointer="" schema={schema} draft={values.release} set={(release) => set({ release })} />
    </FormPanel>
  );
}
