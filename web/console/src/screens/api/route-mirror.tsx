import { type Schemas, read } from "@gateline/api-client";
import { Copyable, Figures, Loaded, Section, Table, Time, count, duration, share } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

type Counted = Schemas["MirrorFigures"];
type Node = Schemas["MirrorView"];

const notCopied = (figures: Counted): number => figures.no_room + figures.too_large;

/** What a route's mirror has found, together and by node; asked again and again while it is looked at. */
export function RouteMirror({ id }: { id: string }) {
  const query = useQuery({ ...read("/api/v1/routes/{id}/mirror", { params: { path: { id } } }), refetchInterval: 5_000 });
  return (
    <Section title="Mirror" text="What became of the copies of this route’s calls. Nodes tell it every few seconds, and count from 0 when they are started again.">
      <Loaded query={query}>
        {(report) =>
          report.nodes.length === 0 ? (
            <p className="text-ink-2">
              No node has told anything yet. Copies go to{" "}
              <Link className="link" to={`/upstreams/${report.upstream_id}`}>
                <code className="break-all">{report.upstream_id}</code>
              </Link>
              .
            </p>
          ) : (
            <div className="space-y-6">
              <Figures of={together(report.total)} />
              <Differences figures={report.total} />
              <Nodes nodes={report.nodes} />
            </div>
          )
        }
      </Loaded>
    </Section>
  );
}

/** What is looked at first. */
function together(total: Counted): [string, string, string?][] {
  return [
    ["Copies sent", count(total.sent), total.failed > 0 ? `${count(total.failed)} without a whole answer` : "all were answered"],
    ["Not copied", count(notCopied(total)), `${count(total.no_room)} for want of room, ${count(total.too_large)} too large`],
    ["Different", share(total.different, total.compared), `${count(total.different)} of ${count(total.compared)} compared; good is none`],
    ["Slower by", slower(total), "on average, to the head of the answer"],
  ];
}

/** How much later the copies’ answers come on average. */
function slower(figures: Counted): string {
  if (figures.compared === 0) return "–";
  const us = (figures.compared_mirror_us - figures.compared_own_us) / figures.compared;
  return us < 0 ? `−${duration(-us)}` : duration(us);
}

/** In what answers differ; one pair may in several ways. */
function Differences({ figures }: { figures: Counted }) {
  const kinds: [string, number, string][] = [
    ["Status", figures.different_status, "Another status."],
    ["Header fields", figures.different_headers, "A field is missing, added or has another value."],
    ["Body", figures.different_body, "Another body; of JSON, the parts that are compared."],
    ["Latency", figures.different_latency, "The copy was answered later by more than is allowed."],
  ];
  return (
    <Table
      label="Differences"
      rows={kinds}
      rowKey={([name]) => name}
      columns={[
        { title: "Differs in", cell: ([name]) => name },
        { title: "Pairs", numeric: true, cell: ([, number]) => count(number) },
        { title: "Of all", numeric: true, cell: ([, number]) => share(number, figures.compared) },
        { title: "What that is", wide: true, minor: true, cell: ([, , text]) => text },
      ]}
    />
  );
}

function Nodes({ nodes }: { nodes: Node[] }) {
  return (
    <Table<Node>
      label="Nodes that report"
      rows={nodes}
      rowKey={(node) => node.node_id}
      columns={[
        { title: "Node", wide: true, cell: (node) => <Copyable text={node.node_id} /> },
        { title: "Sent", numeric: true, cell: (node) => count(node.figures.sent) },
        { title: "Failed", numeric: true, minor: true, cell: (node) => count(node.figures.failed) },
        { title: "Compared", numeric: true, cell: (node) => count(node.figures.compared) },
        { title: "Different", numeric: true, cell: (node) => count(node.figures.different) },
        { title: "Slower by", numeric: true, minor: true, cell: (node) => slower(node.figures) },
        { title: "Counts since", minor: true, cell: (node) => <Time at={node.since} /> },
        {
          title: "Told",
          cell: (node) =>
            node.is_current ? (
              <Time at={node.reported_at} />
            ) : (
              <span className="text-ink-2">
                gone since <Time at={node.seen_at} />, not in the sum
              </span>
            ),
        },
      ]}
    />
  );
}
