import { type Schemas, read } from "@gateline/api-client";
import { Badge, Command, Copyable, ListPage, Time, count } from "@gateline/ui";

type Node = Schemas["Node"];

/** Which configuration each gateway node runs on. */
export default function Nodes() {
  return (
    <ListPage<Node>
      title="Nodes"
      label="Gateway nodes"
      text="Which configuration each gateway node runs on. One that cannot enforce the newest keeps the one before; administrators of the installation are told why."
      load={({ cursor }) => read("/api/v1/gateways", { params: { query: { cursor } } })}
      columns={[
        { title: "Node", wide: true, cell: (node) => <Copyable text={node.id} /> },
        { title: "Environment", cell: (node) => <code>{node.environment}</code> },
        { title: "Configuration", numeric: true, cell: (node) => count(node.revision) },
        { title: "State", cell: (node) => <Badge tone={node.state === "applied" ? "ok" : "bad"}>{node.state === "applied" ? "applied" : "rejected"}</Badge> },
        { title: "Why", wide: true, cell: (node) => node.reason },
        { title: "Heard of", minor: true, cell: (node) => <Time at={node.seen_at} /> },
      ]}
      empty={{
        title: "No node has reported yet",
        text: (
          <>
            <p>A node shows here as soon as it has asked for its configuration. Start one with:</p>
            <Command text="gateline-edge --control https://control.example:8081 --token-file cluster.token" />
          </>
        ),
      }}
    />
  );
}
