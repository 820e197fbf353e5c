import { type Schemas, read } from "@gateline/api-client";
import { ButtonLink, Empty, FormPanel, Loaded, SelectField, TextField, bytes, figure, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

type Spec = Schemas["RouteSpec"];
type Change = Omit<Schemas["RoutePatch"], "managed_by"> & Pick<Spec, "version_id" | "upstream_id" | "environment" | "base_path">;

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
}

/** The form of a route, new or changed. */
export function RouteForm(props: RouteFormProps) {
  const all = { params: { query: { limit: 200 } } };
  const versions = useQuery(read("/api/v1/apis/{id}/versions", { params: { path: { id: props.api.id }, query: { limit: 200 } } }));
  const environments = useQuery(read("/api/v1/environments", all));
  const upstreams = useQuery(read("/api/v1/upstreams", all));
  return (
    <Loaded query={versions}>
      {({ data }) => (
        <Loaded query={environments}>
          {(places) => (
            <Loaded query={upstreams}>
              {(services) => <Choosing {...props} versions={data} environments={places.data} upstreams={services.data} />}
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
  const { api, route } = props;
  const form = useForm({
    initial: {
      version_id: route?.version_id ?? props.versions[0]?.id ?? "",
      upstream_id: route?.upstream_id ?? props.upstreams[0]?.id ?? "",
      environment: route?.environment ?? beginning(props.environments),
      host: route?.host ?? "",
      base_path: route?.base_path ?? `/${api.name}`,
      body_bytes_max: route ? String(route.body_bytes_max) : "",
      enabled: String(route?.enabled ?? true),
    },
    send: ({ host, body_bytes_max, enabled, ...values }) =>
      props.send({ ...values, host: host.trim() || null, body_bytes_max: figure(body_bytes_max) ?? null, enabled: enabled === "true" }),
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
        help="Without port. Empty: the route answers on every host."
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
          options={props.upstreams.map((each) => [each.id, each.name])}
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
    </FormPanel>
  );
}
