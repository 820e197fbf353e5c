import { type Schemas, read } from "@gateline/api-client";
import { Badge, Button, Command, Copyable, Empty, Facts, Loaded, PageHeader, Panel, Said, Section, Table, bytes, count, duration, moment, period, plural } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

type Call = Schemas["ExplainedCall"];
type Limit = Schemas["CallLimit"];
type Try = Schemas["CallTry"];

const verdicts = {
  passed: "ok",
  refused: "bad",
  answered: "accent",
  not_run: "neutral",
} as const;

const word = (text: string): string => text.replaceAll("_", " ");

/** Every decision about a recent request. */
export default function Explain() {
  const search = useSearch({ strict: false }) as { request_id?: string };
  const navigate = useNavigate();
  const asked = search.request_id?.trim() ?? "";
  const [text, setText] = useState(asked);
  return (
    <>
      <PageHeader
        title="Explain a request"
        text="Every decision about a recent call: route, policies, limits, each try at the service behind, and when what happened. Nodes remember their last calls only."
      />
      <form
        className="mb-6 flex max-w-2xl flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void navigate({ to: ".", search: { request_id: text.trim() } as never });
        }}
      >
        <label className="min-w-0 flex-1 basis-64">
          <span className="mb-1 block text-sm font-medium">Request id</span>
          <input
            className="input w-full font-mono"
            value={text}
            maxLength={128}
            required
            spellCheck={false}
            autoComplete="off"
            placeholder="req_…"
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <Button kind="primary" type="submit">
          Explain
        </Button>
      </form>
      {asked ? <Found key={asked} id={asked} /> : <Nothing />}
    </>
  );
}

function Nothing() {
  return (
    <Empty title="Which request?">
      <p>
        Every answer of the gateway has its request’s id in <code>X-Request-ID</code>, and so has every problem in <code>request_id</code>. Paste it above, or ask
        from a terminal:
      </p>
      <Command label="Command that explains" text="gateline explain req_…" />
      <p>
        A request that carries a debug token is explained in full: what each policy found and changed, every route that was tried, and how the targets were.
      </p>
      <Command label="Call with a debug token" text={'curl -H "$(gateline debug-token)" -i http://…'} />
    </Empty>
  );
}

function Found({ id }: { id: string }) {
  const query = useQuery({ ...read("/api/v1/explain", { params: { query: { request_id: id } } }), retry: false });
  return (
    <Loaded query={query} rows={6}>
      {(found) => (
        <div className="space-y-12">
          {found.nodes_answered < found.nodes_asked && (
            <p role="status" className="text-warn">
              Only {found.nodes_answered} of {plural(found.nodes_asked, "node")} answered in time.
            </p>
          )}
          {found.calls.map((call) => (
            <One key={call.id} call={call} />
          ))}
        </div>
      )}
    </Loaded>
  );
}

function One({ call }: { call: Call }) {
  const { routing } = call;
  const status = call.status < 400 ? "ok" : call.status < 500 ? "warn" : "bad";
  return (
    <article aria-label={`Call ${call.id}`}>
      <Facts
        of={[
          ["Answer", <span key="answer"><Badge tone={status}>{call.status}</Badge> {call.code && <code>{call.code}</code>}</span>],
          ["Request", <span key="request"><code>{call.method}</code> {routing.operation ? <code>{routing.operation.path}</code> : call.path && <code>{call.path}</code>}</span>],
          ["API", routing.api_id ? <Link key="api" className="link" to={`/apis/${routing.api_id}`}>{routing.api_name ?? routing.api_id}</Link> : "none"],
          ["When", moment(call.started_at)],
          ["Took", duration(call.timing.ended_us)],
          ["Bytes", `${bytes(call.bytes_in)} in, ${bytes(call.bytes_out)} out`],
          ["Noted", <Badge key="noted" tone={call.noted === "full" ? "accent" : "neutral"}>{call.noted === "full" ? "in full" : call.noted}</Badge>],
          ...(call.node_id ? [["Node", <Copyable key="node" text={call.node_id} />] as [string, ReactNode]] : []),
        ]}
      />
      <Section title="Where the time went">
        <Timeline call={call} />
      </Section>
      {call.noted !== "consumer" && <Route call={call} />}
      {call.steps.length > 0 && (
        <Section title="Decisions" text="In the order in which they were taken.">
          <Table
            label="Decisions"
            rows={call.steps}
            rowKey={(step) => `${step.kind} ${step.policy_id ?? ""} ${call.steps.indexOf(step)}`}
            columns={[
              { title: "Policy", cell: (step) => <code>{step.kind}</code> },
              { title: "Verdict", cell: (step) => <Badge tone={verdicts[step.verdict]}>{word(step.verdict)}</Badge> },
              {
                title: "What it did",
                wide: true,
                cell: (step) => (
                  <ul className="break-words">
                    {step.details.map((detail) => (
                      <li key={detail}>
                        <Said text={detail} />
                      </li>
                    ))}
                  </ul>
                ),
              },
              { title: "Took", numeric: true, minor: true, cell: (step) => (step.took_ns === undefined ? "" : duration(step.took_ns / 1000)) },
            ]}
          />
        </Section>
      )}
      {call.limits.length > 0 && (
        <Section title="Limits" text={`The call counts for ${call.cost}.${call.delay_us > 0 ? ` It was held back for ${duration(call.delay_us)}.` : ""}`}>
          <Table
            label="Limits"
            rows={call.limits}
            rowKey={(limit) => limit.name}
            columns={[
              { title: "Limit", cell: (limit) => word(limit.name) },
              { title: "Left", numeric: true, cell: (limit) => `${count(limit.remaining)} of ${count(limit.limit)}` },
              { title: "In", cell: (limit) => (limit.window_seconds === undefined ? "at a time" : period(limit.window_seconds)) },
              ...(call.limits.some((limit) => limit.over)
                ? [{ title: "Over", cell: (limit: Limit) => (limit.over ? <Badge tone="warn">{word(limit.over)}</Badge> : "") }]
                : []),
            ]}
          />
        </Section>
      )}
      {call.upstream && <Upstream upstream={call.upstream} />}
      {call.caller && (
        <Section title="Caller">
          <Facts
            of={[
              ["Application", <Copyable key="application" text={call.caller.application_id} />],
              ["Key", <Copyable key="key" text={call.caller.key_id} />],
              ["Plan", call.caller.plan_id ? <Copyable key="plan" text={call.caller.plan_id} /> : "none"],
            ]}
          />
        </Section>
      )}
    </article>
  );
}

function Route({ call: { routing } }: { call: Call }) {
  return (
    <Section title="Route">
      <Panel>
        {routing.route_id ? (
          <p>
            <Link className="link" to={`/apis/${routing.api_id}/routes/${routing.route_id}`}>
              {routing.route_id}
            </Link>{" "}
            {routing.why && <Said text={routing.why} />}
          </p>
        ) : (
          <p>No route took it.</p>
        )}
        {routing.variant && <Variant variant={routing.variant} />}
        {routing.missed > 0 && (
          <div className="mt-3 text-sm text-ink-2">
            <p>{plural(routing.missed, "route")} did not fit before:</p>
            <ul className="mt-1 list-disc pl-5">
              {routing.tried.map((tried, place) => (
                <li key={tried.route_id ?? `other ${place}`}>
                  {tried.route_id ? (
                    <>
                      <code>{tried.route_id}</code> {tried.base_path && <code>{(tried.host ?? "*") + tried.base_path}</code>}: <code>{tried.missed}</code> does not hold
                    </>
                  ) : (
                    "a route of another organization"
                  )}
                </li>
              ))}
            </ul>
          </div>
        )}
      </Panel>
    </Section>
  );
}

/** The side of the route's split, and why it was this one. */
function Variant({ variant }: { variant: Schemas["CallVariant"] }) {
  return (
    <div className="mt-3">
      <p>
        Variant <Badge tone="accent">{variant.name}</Badge> <Said text={variant.why} />
      </p>
      {variant.details.length > 0 && (
        <ul className="mt-1 list-disc pl-5 text-sm text-ink-2">
          {variant.details.map((detail) => (
            <li key={detail}>
              <Said text={detail} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Upstream({ upstream }: { upstream: Schemas["CallUpstream"] }) {
  return (
    <Section
      title="Service behind"
      text={
        <>
          <Link className="link" to={`/upstreams/${upstream.upstream_id}`}>
            {upstream.upstream_id}
          </Link>
          {upstream.algorithm === "only" ? ", which has one target." : `, target by ${word(upstream.algorithm)}.`}
          {upstream.fallback === "fixed" && " Its fixed fallback was the answer."}
          {upstream.fallback === "last_good" &&
            ` Its last good answer was given again${upstream.fallback_age_seconds == null ? "" : `, ${upstream.fallback_age_seconds} s old`}.`}
        </>
      }
    >
      {upstream.tries.length > 0 && (
        <Table<Try>
          label="Tries"
          rows={upstream.tries}
          rowKey={(one) => `${one.target} ${upstream.tries.indexOf(one)}`}
          columns={[
            { title: "Target", wide: true, cell: (one) => <code className="break-all">{one.target}</code> },
            { title: "Why", cell: (one) => word(one.reason) },
            { title: "Connection", minor: true, cell: (one) => (one.is_reused ? "was idle" : "opened") },
            {
              title: "Outcome",
              cell: (one) => (
                <Badge tone={one.outcome === "answered" && (one.status ?? 0) < 500 ? "ok" : one.outcome === "abandoned" ? "neutral" : "bad"}>
                  {one.status ?? word(one.outcome)}
                </Badge>
              ),
            },
            { title: "Took", numeric: true, cell: (one) => (one.ended_us === undefined ? "" : duration(one.ended_us - one.began_us)) },
          ]}
        />
      )}
      {upstream.candidates.length > 0 && (
        <div className="mt-4">
          <Table
            label="Targets to choose from"
            rows={upstream.candidates}
            rowKey={(target) => target.target}
            columns={[
              { title: "Could be chosen", wide: true, cell: (target) => <code className="break-all">{target.target}</code> },
              { title: "Zone", minor: true, cell: (target) => target.zone ?? "" },
              { title: "Weight", numeric: true, cell: (target) => target.weight },
              { title: "Busy", numeric: true, cell: (target) => target.in_flight },
              { title: "Health", cell: (target) => <Badge tone={target.healthy && !target.is_down ? "ok" : "bad"}>{target.is_down ? "down" : target.healthy ? "healthy" : "unhealthy"}</Badge> },
            ]}
          />
        </div>
      )}
    </Section>
  );
}

/** Where the time went, as bars one behind the other; the same in words below. */
function Timeline({ call: { timing } }: { call: Call }) {
  const whole = Math.max(timing.ended_us, 1);
  const ends: [name: string, until: number | undefined, colour: string][] = [
    ["policies", timing.decided_us, "bg-accent"],
    ["connection", timing.sent_us, "bg-warn"],
    ["service behind", timing.first_byte_us, "bg-ok"],
    [timing.first_byte_us === undefined ? "the gateway’s own answer" : "rest of the answer", timing.ended_us, "bg-line-strong"],
  ];
  let before = 0;
  const parts = ends.flatMap(([name, until, colour]) => {
    if (until === undefined) return [];
    const part = { name, colour, from: before, took: Math.max(until - before, 0) };
    before = Math.max(until, before);
    return [part];
  });
  return (
    <Panel>
      <div aria-hidden className="flex h-3 overflow-hidden rounded-sm bg-sunken">
        {parts.map((part) => (
          <span key={part.name} className={part.colour} style={{ width: `${(100 * part.took) / whole}%` }} />
        ))}
      </div>
      <ul className="mt-3 flex flex-wrap gap-x-8 gap-y-1 text-sm">
        {parts.map((part) => (
          <li key={part.name} className="flex items-center gap-2">
            <span aria-hidden className={`size-2.5 rounded-xs ${part.colour}`} />
            {part.name} <span className="tnum text-ink-2">{duration(part.took)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
