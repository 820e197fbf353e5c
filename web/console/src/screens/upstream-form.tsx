import { type Schemas, read } from "@gateline/api-client";
import { type Draft, FormPanel, Loaded, SchemaForm, SelectField, TextArea, TextField, figure, finished, useForm } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Json, patch, picked, schemaOf } from "../schema-part";

type Spec = Schemas["UpstreamSpec"];
type Target = Schemas["Target"];

/** What the API's document says better than a form written by hand. */
const REST = [
  "targets_file",
  "balancing",
  "health_check",
  "outlier_detection",
  "retries",
  "circuit_breaker",
  "hedging",
  "fallback",
  "concurrency",
  "timeouts",
  "connections",
  "idle_connections_max",
  "tls",
] as const;

const PROTOCOLS: [NonNullable<Spec["protocol"]>, string][] = [
  ["http1", "HTTP/1.1"],
  ["http2", "HTTP/2"],
  ["auto", "What the TLS handshake says"],
];

interface Props {
  upstream?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}

/** The form of an upstream, new or changed; most of its fields come from the API's own document. */
export function UpstreamForm(props: Props) {
  const query = useQuery({ ...read("/api/v1/openapi.json"), staleTime: Infinity });
  return <Loaded query={query}>{(document) => <Form {...props} document={document as Json} />}</Loaded>;
}

function Form(props: Props & { document: Json }) {
  const { document, upstream } = props;
  const schema = useMemo(() => schemaOf(document, "UpstreamSpec", REST), [document]);
  const form = useForm({
    initial: {
      name: upstream?.name ?? "",
      targets: upstream?.targets.map(written).join("\n") ?? "",
      protocol: upstream?.protocol ?? "http1",
      preserve_host: String(upstream?.preserve_host ?? false),
      proxy_protocol: upstream?.proxy_protocol ?? "",
      rest: { value: picked(upstream ?? {}, REST) } as Draft,
    },
    send: async (values) => {
      const rest = finished(schema, values.rest, "") as Json;
      return props.send({
        name: values.name,
        targets: values.targets
          .split("\n")
          .map((line) => line.trim().split(/\s+/))
          .filter(([url]) => url)
          .map(target),
        protocol: values.protocol,
        preserve_host: values.preserve_host === "true",
        proxy_protocol: (values.proxy_protocol || (upstream?.proxy_protocol ? null : undefined)) as Spec["proxy_protocol"],
        ...(patch(picked(upstream ?? {}, REST), rest) as Partial<Spec>),
      });
    },
    after: ({ id }) => props.after(id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField label="Name" pointer="/name" mono help="Lower-case letters, digits and hyphens." value={values.name} set={(name) => set({ name })} />
      <TextArea
        label="Targets"
        pointer="/targets"
        mono
        help="One address per line, or none if they stand in a file; after it, if you like, its weight, priority, zone and how its name is looked up: http://127.0.0.1:9000/base 3 priority=1 zone=east resolve=dns. For stream routes: tcp://127.0.0.1:5432"
        value={values.targets}
        set={(targets) => set({ targets })}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <SelectField
          label="Protocol"
          pointer="/protocol"
          value={values.protocol}
          set={(protocol) => set({ protocol: protocol as "http1" })}
          options={PROTOCOLS}
        />
        <SelectField
          label="Host header"
          pointer="/preserve_host"
          value={values.preserve_host}
          set={(preserve_host) => set({ preserve_host })}
          options={[
            ["false", "The target's"],
            ["true", "The caller's"],
          ]}
        />
        <SelectField
          label="PROXY protocol"
          pointer="/proxy_protocol"
          value={values.proxy_protocol}
          set={(proxy_protocol) => set({ proxy_protocol })}
          options={[
            ["", "Not spoken"],
            ["v1", "Version 1"],
            ["v2", "Version 2"],
          ]}
        />
      </div>
      <SchemaForm label="Traffic and failure" pointer="" schema={schema} draft={values.rest} set={(rest) => set({ rest })} />
    </FormPanel>
  );
}

/** A target as a line of text. */
function written({ url, weight, priority, zone, resolve }: Target): string {
  return [url, weight !== 1 && weight, priority && `priority=${priority}`, zone && `zone=${zone}`, resolve && resolve !== "system" && `resolve=${resolve}`].filter(Boolean).join(" ");
}

/** A target of the words of its line; what is no number is for the API to refuse. */
function target([url = "", ...words]: string[]): Target {
  const said = (name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const zone = said("zone");
  const resolve = said("resolve") as Target["resolve"];
  const weight = words.find((word) => !word.includes("="));
  return { url, weight: figure(weight ?? "") ?? 1, priority: figure(said("priority") ?? "") ?? 0, ...(zone ? { zone } : {}), ...(resolve ? { resolve } : {}) };
}
