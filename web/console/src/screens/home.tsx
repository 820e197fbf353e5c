import { read } from "@gateline/api-client";
import { ButtonLink, Command, PageHeader, Panel, Section, UsageChart, useSession, useUsage } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

const HOURS = 24;

/** Where the console begins: what to do next, how traffic goes, whether all is well. */
export default function Home() {
  const { organization } = useSession();
  const usage = useUsage({}, HOURS, "hour");
  return (
    <>
      <PageHeader title={organization?.title ?? "Home"} text="Everything this organization offers." />
      <UsageChart filter={{}} hours={HOURS} title="Traffic" text="All APIs together. Good: a shape you know from yesterday, with hatched and red parts thin." />
      <div className="mt-8 grid gap-x-10 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div className="min-w-0">
          <Checklist called={(usage.data?.length ?? 0) > 0} />
        </div>
        <div className="min-w-0 max-lg:mt-8">
          <Health />
        </div>
      </div>
    </>
  );
}

/** The way from nothing to a first call, with what is done struck off. */
function Checklist({ called }: { called: boolean }) {
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 1 } } }));
  const products = useQuery(read("/api/v1/products", { params: { query: { limit: 1 } } }));
  const api = apis.data?.data[0];
  const name = api?.name ?? "shop";
  return (
    <Section title="From a service to a product" text="Every step works here and in a terminal.">
      <ol className="space-y-3">
        <Step number={1} done={api !== undefined} title="Import an API" action={<ButtonLink to="/apis/import">Import</ButtonLink>}>
          <Command text={`gateline import openapi.yaml --name ${name} --upstream http://127.0.0.1:9000 --publish`} />
        </Step>
        <Step
          number={2}
          done={(products.data?.data.length ?? 0) > 0}
          title="Offer it as a product"
          action={<ButtonLink to={products.data?.data.length ? "/products" : "/products/new"}>Products</ButtonLink>}
        >
          <p className="text-ink-2">
            A product bundles versions and lists plans. Public ones stand in the{" "}
            <a className="link" href="/portal/">
              portal
            </a>
            .
          </p>
        </Step>
        <Step number={3} done={called} title="Make the first call" action={<ButtonLink to="/applications">Applications</ButtonLink>}>
          <Command text={`gateline keys create --api ${name} --plan free`} />
        </Step>
      </ol>
    </Section>
  );
}

function Step(props: { number: number; done: boolean; title: string; action: ReactNode; children: ReactNode }) {
  return (
    <li className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-3">
      <span
        className={`mt-1 grid size-6 place-items-center rounded-full text-sm font-medium ${props.done ? "bg-ok-soft text-ok" : "bg-accent-soft text-accent"}`}
        aria-label={props.done ? "Done" : `Step ${props.number}`}
        role="img"
      >
        {props.done ? "✓" : props.number}
      </span>
      <div className="min-w-0 space-y-2 border-b border-line pb-3">
        <div className="flex items-center justify-between gap-2">
          <h3 className={props.done ? "font-normal text-ink-2" : ""}>{props.title}</h3>
          {props.action}
        </div>
        {!props.done && props.children}
      </div>
    </li>
  );
}

function Health() {
  const ready = useQuery({ ...read("/health/ready"), refetchInterval: 10_000, retry: false });
  const nodes = useQuery({ ...read("/api/v1/gateways"), refetchInterval: 10_000 });
  return (
    <Section title="Health" text="Traffic goes on while the control plane is away.">
      <Panel className="divide-y divide-line px-4">
        {ready.error && <Line name="Control plane" good={false} state={ready.error.message} />}
        {ready.data?.checks.map((check) => (
          <Line key={check.name} name={nameOfCheck(check.name)} good={check.ready} state={check.ready ? "Ready" : (check.reason ?? "Not ready")} />
        ))}
        {nodes.data?.data.map((node) => (
          <Line
            key={node.id}
            name={`Gateway node, ${node.environment}`}
            good={node.state === "applied"}
            state={node.state === "applied" ? <span title={node.id}>Revision {node.revision}</span> : node.reason}
          />
        ))}
        <Line name="Audit chain" state={<Link to="/audit" className="link">Verify</Link>} />
        <Line name="Numbers for your monitoring" state={<a className="link" href="/metrics">/metrics</a>} />
        <Line name="This API" state={<a className="link" href="/api/docs">Reference</a>} />
      </Panel>
    </Section>
  );
}

/** `signing_key` as people read it. */
const nameOfCheck = (name: string): string => (name[0] ?? "").toUpperCase() + name.slice(1).replaceAll("_", " ");

function Line(props: { name: string; state: ReactNode; good?: boolean }) {
  const colour = props.good === undefined ? "" : props.good ? "text-ok" : "text-bad";
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 py-2.5">
      <span>{props.name}</span>
      <span className={`tnum ${colour}`}>{props.state}</span>
    </div>
  );
}
