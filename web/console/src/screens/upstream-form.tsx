import type { Schemas } from "@gateline/api-client";
import { FormPanel, SelectField, TextArea, TextField, figure, useForm } from "@gateline/ui";

type Spec = Schemas["UpstreamSpec"];

const ANSWER_MS = 30_000;

/** The form of an upstream, new or changed. */
export function UpstreamForm(props: {
  upstream?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const { upstream } = props;
  const form = useForm({
    initial: {
      name: upstream?.name ?? "",
      targets: upstream?.targets.map((target) => `${target.url}${target.weight && target.weight !== 1 ? ` ${target.weight}` : ""}`).join("\n") ?? "",
      protocol: upstream?.protocol ?? "http1",
      answer_ms: String(upstream?.timeouts?.answer_ms ?? ANSWER_MS),
      preserve_host: String(upstream?.preserve_host ?? false),
    },
    send: (values) =>
      props.send({
        name: values.name,
        targets: values.targets
          .split("\n")
          .map((line) => line.trim().split(/\s+/))
          .filter(([url]) => url)
          .map(([url = "", weight]) => ({ url, weight: figure(weight ?? "") ?? 1 })),
        protocol: values.protocol === "http2" ? "http2" : "http1",
        timeouts: { connect_ms: 2000, idle_ms: 60_000, ...upstream?.timeouts, answer_ms: figure(values.answer_ms) ?? ANSWER_MS },
        preserve_host: values.preserve_host === "true",
      }),
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
        help="One address per line, its weight after it if it is not 1: http://127.0.0.1:9000/base 3"
        value={values.targets}
        set={(targets) => set({ targets })}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <SelectField
          label="Protocol"
          pointer="/protocol"
          value={values.protocol}
          set={(protocol) => set({ protocol: protocol as "http1" })}
          options={[
            ["http1", "HTTP/1.1"],
            ["http2", "HTTP/2"],
          ]}
        />
        <TextField
          label="Time to answer (ms)"
          pointer="/timeouts/answer_ms"
          help="Then the caller gets 504."
          value={values.answer_ms}
          set={(answer_ms) => set({ answer_ms })}
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
      </div>
    </FormPanel>
  );
}
