import { type Schemas, read } from "@gateline/api-client";
import { Badge, Copyable, Loaded, Section, Table, Time } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";

type Target = Schemas["TargetHealth"];

const tones = { healthy: "ok", unhealthy: "bad", ejected: "warn" } as const;
const circuits = { closed: "ok", half_open: "warn", open: "bad" } as const;

/** What each gateway node says of an upstream's targets; asked again and again while it is looked at. */
export function UpstreamHealth({ id }: { id: string }) {
  const query = useQuery({ ...read("/api/v1/upstreams/{id}/health", { params: { path: { id } } }), refetchInterval: 5_000 });
  return (
    <Section title="Health" text="As the gateway nodes see it; they tell changes within seconds.">
      <Loaded query={query}>
        {(report) =>
          report.nodes.length === 0 ? (
            <p className="text-ink-2">No node serves it yet: a route has to lead to it.</p>
          ) : (
            <div className="space-y-5">
              {report.nodes.map((node) => (
                <div key={node.node_id}>
                  <p className="mb-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-ink-2">
                    <Copyable text={node.node_id} />
                    <span>{node.environment}</span>
                    {node.circuit && <Badge tone={circuits[node.circuit]}>circuit {node.circuit.replace("_", " ")}</Badge>}
                    {!node.is_current && (
                      <span>
                        not heard of since <Time at={node.seen_at} />
                      </span>
                    )}
                  </p>
                  <Table<Target>
                    label={`Targets as ${node.node_id} sees them`}
                    rows={node.targets}
                    rowKey={(target) => `${target.target} ${node.targets.indexOf(target)}`}
                    stale={!node.is_current}
                    columns={[
                      { title: "Target", wide: true, cell: (target) => <code className="break-all">{target.target}</code> },
                      { title: "State", cell: (target) => <Badge tone={tones[target.state]}>{target.state}</Badge> },
                      { title: "Why", wide: true, cell: (target) => target.reason },
                      { title: "Since", minor: true, cell: (target) => <Time at={target.since} never="the node’s start" /> },
                    ]}
                  />
                </div>
              ))}
            </div>
          )
        }
      </Loaded>
    </Section>
  );
}
