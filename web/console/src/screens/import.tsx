import { type Schemas, client, done, read } from "@gateline/api-client";
import { Badge, Detail, FormPanel, Loading, Said, SelectField, TextField, nameOf, plural, useForm, useGo } from "@gateline/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Suspense, lazy, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

const Editor = lazy(() => import("@gateline/ui/editor.tsx"));

type Finding = Schemas["Finding"];

const START = `openapi: 3.1.0
info:
  title: Shop
  version: 1.0.0
paths:
  /pets:
    get:
      operationId: list_pets
      summary: All pets
      responses:
        "200":
          description: The pets
`;

/** What the server finds in a document, asked again when the typing stops. */
function useFindings(document: string) {
  const [asked, setAsked] = useState(document);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(document), 300);
    return () => clearTimeout(timer);
  }, [document]);
  return useQuery({
    queryKey: ["lint", asked],
    queryFn: async () => done(await client.POST("/api/v1/contracts/lint", { body: { document: asked } })),
    enabled: asked.trim() !== "",
    placeholderData: (old) => old,
    gcTime: 10_000,
  });
}

/** Import of a contract: text and findings side by side, then where it is published. */
export default function Import() {
  const go = useGo();
  const queries = useQueryClient();
  const [document, setDocument] = useState(START);
  const [jump, setJump] = useState<{ line: number; column: number }>();
  const lint = useFindings(document);
  const findings = useDeferredValue(lint.data?.findings);
  const remarks = useMemo(
    () => (findings ?? []).map(({ line, column, severity, detail, suggestion }) => ({ line, column, severity, text: `${detail} ${suggestion}`.trim() })),
    [findings],
  );
  const errors = (findings ?? []).filter((finding) => finding.severity === "error").length;
  return (
    <Detail from={["/apis", "APIs"]} title="Import an API" text="OpenAPI 3.0 or 3.1, JSON or YAML. Nothing is stored before you import.">
      <div className="grid gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <section aria-label="Contract" className="flex min-w-0 flex-col gap-2">
          <Upload set={setDocument} />
          <div className="h-[26rem]">
            <Suspense fallback={<Loading rows={8} />}>
              <Editor label="Contract" value={document} set={setDocument} remarks={remarks} jump={jump} />
            </Suspense>
          </div>
        </section>
        <Findings report={lint.data} error={lint.error} pending={lint.isFetching} jump={setJump} />
      </div>
      <section aria-label="Publish" className="mt-8">
        <h2 className="mb-3 text-lg">Publish</h2>
        <PublishForm
          document={document}
          title={lint.data?.title ?? ""}
          blocked={errors > 0 || lint.data === undefined}
          after={async (id) => {
            await queries.invalidateQueries();
            go(`/apis/${id}`);
          }}
        />
      </section>
    </Detail>
  );
}

function Upload({ set }: { set: (text: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = async (file: File | undefined) => {
    if (file) set(await file.text());
  };
  return (
    // Dropping is a second way to do what the button does.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={`flex flex-wrap items-center gap-x-1 rounded-md border border-dashed px-3 py-1.5 text-sm text-ink-2 ${over ? "border-accent bg-accent-soft" : "border-line-strong"}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer.files[0]);
      }}
    >
      <span>Paste or write below, drop a file here, or</span>
      <button type="button" className="link" onClick={() => input.current?.click()}>
        choose a file
      </button>
      <input
        ref={input}
        type="file"
        aria-label="Contract file"
        className="sr-only"
        tabIndex={-1}
        accept=".yaml,.yml,.json,application/json,application/yaml"
        onChange={(event) => void take(event.target.files?.[0])}
      />
    </div>
  );
}

const tones = { error: "bad", warning: "warn", hint: "neutral" } as const;

function Findings(props: {
  report: Schemas["Linted"] | undefined;
  error: Error | null;
  pending: boolean;
  jump: (place: { line: number; column: number }) => void;
}) {
  const findings = props.report?.findings ?? [];
  return (
    <section aria-label="Findings" className="min-w-0" aria-busy={props.pending}>
      <div className="mb-2 flex min-h-9 flex-wrap items-baseline justify-between gap-2" role="status">
        <h2 className="text-lg">{findings.length === 0 ? "No findings" : plural(findings.length, "finding")}</h2>
        {props.report?.title && (
          <span className="text-sm text-ink-2">
            {props.report.title} {props.report.version} · {plural(props.report.operations, "operation")}
          </span>
        )}
      </div>
      {props.error && <p className="mb-2 text-bad">{props.error.message}</p>}
      <ol className="max-h-[24rem] divide-y divide-line overflow-auto rounded-lg border border-line bg-surface empty:hidden">
        {findings.slice(0, 200).map((finding: Finding) => (
          <li key={`${finding.pointer}${finding.code}${finding.line}`}>
            <button type="button" className="block w-full px-3 py-2 text-left hover:bg-hover" onClick={() => props.jump({ ...finding })}>
              <span className="flex flex-wrap items-center gap-2">
                <Badge tone={tones[finding.severity]}>{finding.severity}</Badge>
                <code className="text-ink-2">{finding.code}</code>
                <span className="tnum ml-auto text-sm text-ink-2">{finding.line > 0 ? `line ${finding.line}, column ${finding.column}` : ""}</span>
              </span>
              <span className="mt-1 block break-words">
                <Said text={finding.detail} />
              </span>
              {finding.suggestion && (
                <span className="block text-sm break-words text-ink-2">
                  <Said text={finding.suggestion} />
                </span>
              )}
            </button>
          </li>
        ))}
      </ol>
      {findings.length === 0 && props.report && (
        <p className="rounded-lg border border-line bg-ok-soft px-3 py-2 text-ok">The contract can be imported as it is.</p>
      )}
    </section>
  );
}

function PublishForm(props: { document: string; title: string; blocked: boolean; after: (api: string) => void }) {
  const environments = useQuery(read("/api/v1/environments", { params: { query: { limit: 200 } } }));
  const form = useForm({
    initial: { name: "", upstream_url: "", environment: "sandbox", base_path: "" },
    send: async (values) => {
      const { name, upstream_url, environment, base_path } = values;
      return done(
        await client.POST("/api/v1/apis/import", {
          body: {
            document: props.document,
            publish: upstream_url !== "",
            environment,
            ...((name || suggested) && { name: name || suggested }),
            ...(upstream_url && { upstream_url }),
            ...(base_path && { base_path }),
          },
        }),
      );
    },
    // Work that is done later was not asked for.
    after: (result) => {
      if ("api" in result) props.after(result.api);
    },
  });
  const suggested = nameOf(props.title);
  const { values, set } = form;
  const name = values.name || suggested || "name";
  return (
    <FormPanel form={form} submit={values.upstream_url ? "Import and publish" : "Import as a draft"} cancel="/apis" disabled={props.blocked}>
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <TextField
          label="Name"
          pointer="/name"
          mono
          placeholder={suggested}
          help="Unique in the organization. Taken from the contract's title if empty."
          value={values.name}
          set={(value) => set({ name: value })}
        />
        <TextField
          label="Upstream URL"
          optional
          pointer="/upstream_url"
          type="url"
          mono
          placeholder="http://127.0.0.1:9000"
          help="Where the service answers. Without it, the API is imported and not reachable."
          value={values.upstream_url}
          set={(upstream_url) => set({ upstream_url })}
        />
        <SelectField
          label="Environment"
          pointer="/environment"
          help="Whose gateways answer for it."
          value={values.environment}
          set={(environment) => set({ environment })}
          options={(environments.data?.data ?? [{ name: "sandbox", title: "Sandbox" }]).map((each) => [each.name, each.title])}
        />
        <TextField
          label="Base path"
          optional
          pointer="/base_path"
          mono
          placeholder={`/${name}`}
          help="Stands before the contract's paths and is removed before the call is forwarded."
          value={values.base_path}
          set={(base_path) => set({ base_path })}
        />
      </div>
      {props.blocked && <p className="text-sm text-ink-2">Mend the errors above first; warnings do not stand in the way.</p>}
    </FormPanel>
  );
}
