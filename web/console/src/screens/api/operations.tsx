import { type Schemas, read } from "@gateline/api-client";
import { Badge, Empty, List, Method } from "@gateline/ui";
import { ApiFrame, VersionChoice, useVersion } from "./frame";

/** The operations of one version. */
export default function ApiOperations() {
  return <ApiFrame>{(_, versions) => <Operations versions={versions} />}</ApiFrame>;
}

function Operations({ versions }: { versions: Schemas["Version"][] }) {
  const version = useVersion(versions);
  if (!version) return <Empty title="No version yet">Import a contract to have operations.</Empty>;
  return (
    <List<Schemas["Operation"]>
      label="Operations"
      searchable
      add={<VersionChoice versions={versions} version={version} />}
      load={({ q, cursor }) =>
        read("/api/v1/versions/{id}/operations", { params: { path: { id: version.id }, query: { q, cursor, limit: 100 } } })
      }
      columns={[
        { title: "Method", cell: (operation) => <Method of={operation.method} /> },
        { title: "Path", cell: (operation) => <code className="whitespace-nowrap">{operation.path}</code> },
        { title: "Name", cell: (operation) => <code className="text-ink-2">{operation.name}</code> },
        {
          title: "Summary",
          minor: true,
          cell: (operation) => (
            <span className="text-ink-2">
              {operation.summary} {operation.deprecated && <Badge tone="warn">deprecated</Badge>}
            </span>
          ),
        },
      ]}
      empty={{ title: "No operations", text: "The contract of this version has no paths." }}
    />
  );
}
