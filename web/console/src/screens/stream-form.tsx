import { type Schemas, read } from "@gateline/api-client";
import { FormPanel, Loaded, SelectField, TextArea, TextField, figure, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Spec = Omit<Schemas["StreamRouteSpec"], "managed_by">;

interface Props {
  route?: Spec;
  submit: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}

/** The form of a stream route, new or changed. */
export function StreamForm(props: Props) {
  const all = { params: { query: { limit: 200 } } };
  const environments = useQuery(read("/api/v1/environments", all));
  const upstreams = useQuery(read("/api/v1/upstreams", all));
  return (
    <Loaded query={environments}>
      {(places) => <Loaded query={upstreams}>{(services) => <Form {...props} environments={places.data} upstreams={services.data} />}</Loaded>}
    </Loaded>
  );
}

/** Services of HTTP are for routes. */
const isStream = (upstream: Schemas["Upstream"]) => upstream.targets.some(({ url }) => url.startsWith("tcp://"));

function Form(props: Props & { environments: Schemas["Environment"][]; upstreams: Schemas["Upstream"][] }) {
  const { route, environments } = props;
  const upstreams = props.upstreams.filter(isStream);
  const form = useForm({
    initial: {
      name: route?.name ?? "",
      environment: route?.environment ?? (environments.find(({ name }) => name === "sandbox") ?? environments[0])?.name ?? "",
      port: String(route?.port ?? ""),
      hosts: route?.hosts?.join("\n") ?? "",
      upstream_id: route?.upstream_id ?? upstreams[0]?.id ?? "",
      idle_ms: String(route?.idle_ms ?? 3_600_000),
      connections_max: String(route?.connections_max ?? 0),
      enabled: String(route?.enabled ?? true),
    },
    send: ({ port, hosts, idle_ms, connections_max, enabled, ...values }) =>
      props.send({
        ...values,
        // Nothing takes a port away that was there.
        port: (figure(port) ?? (route?.port ? null : undefined)) as Spec["port"],
        hosts: hosts.split(/\s+/).filter(Boolean),
        idle_ms: figure(idle_ms) ?? 3_600_000,
        connections_max: figure(connections_max) ?? 0,
        enabled: enabled === "true",
      }),
    after: ({ id }) => props.after(id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel="/streams">
      <TextField label="Name" pointer="/name" mono help="Lower-case letters, digits and hyphens." value={values.name} set={(name) => set({ name })} />
      <TextArea
        label="Hosts"
        pointer="/hosts"
        mono
        rows={3}
        help="What clients name in TLS, one per line; *.example.com for all below. Without one, whatever comes to the port is taken."
        value={values.hosts}
        set={(hosts) => set({ hosts })}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <TextField
          label="Port"
          pointer="/port"
          mono
          help="Of the gateway's listener. With hosts, every port that speaks TLS if empty."
          value={values.port}
          set={(port) => set({ port })}
        />
        <SelectField
          label="Environment"
          pointer="/environment"
          value={values.environment}
          set={(environment) => set({ environment })}
          options={environments.map(({ name, title }) => [name, title])}
        />
        <SelectField
          label="Upstream"
          pointer="/upstream_id"
          help={upstreams.length === 0 ? "There is none with targets at tcp:// yet: add one first." : "Those with targets at tcp://."}
          value={values.upstream_id}
          set={(upstream_id) => set({ upstream_id })}
          options={upstreams.map(({ id, name }) => [id, name])}
        />
        <SelectField
          label="On"
          pointer="/enabled"
          value={values.enabled}
          set={(enabled) => set({ enabled })}
          options={[
            ["true", "Yes"],
            ["false", "No"],
          ]}
        />
        <TextField
          label="Longest silence (ms)"
          pointer="/idle_ms"
          mono
          help="After so long without a byte either way, both sides are closed."
          value={values.idle_ms}
          set={(idle_ms) => set({ idle_ms })}
        />
        <TextField
          label="Most connections"
          pointer="/connections_max"
          mono
          help="That a node has open at a time; 0 for no bound."
          value={values.connections_max}
          set={(connections_max) => set({ connections_max })}
        />
      </div>
    </FormPanel>
  );
}
