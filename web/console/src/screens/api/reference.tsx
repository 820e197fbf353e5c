import type { Schemas } from "@gateline/api-client";
import { Empty, ReferenceFrame } from "@gateline/ui";
import { ApiFrame, VersionChoice, useVersion } from "./frame";

/** The reference of a version's contract. */
export default function ApiReference() {
  return <ApiFrame>{(_, versions) => <Versioned versions={versions} />}</ApiFrame>;
}

function Versioned({ versions }: { versions: Schemas["Version"][] }) {
  const version = useVersion(versions);
  if (!version) return <Empty title="No version yet">Import a contract to have a reference.</Empty>;
  return (
    <>
      <div className="mb-3 flex justify-end empty:hidden">
        <VersionChoice versions={versions} version={version} />
      </div>
      <ReferenceFrame contract={`/api/v1/versions/${version.id}/contract`} versionId={version.id} />
    </>
  );
}
