import { type Schemas, read } from "@gateline/api-client";
import { Section, mergePatch, useGo } from "@gateline/ui";
import { FlagFrame } from "../flags/frame";
import { History } from "../flags/history";
import { type Flag, specOf } from "../flags/model";
import { useRevert } from "../flags/proposals";

/** What a flag was. */
export default function FlagHistory() {
  return <FlagFrame>{(flag) => <Revisions flag={flag} />}</FlagFrame>;
}

function Revisions({ flag }: { flag: Flag }) {
  const revert = useRevert(flag);
  const go = useGo();
  const spec = specOf(flag);
  const path = { id: flag.id };
  return (
    <Section title="History" text="Every change, by whom and when. Any state can be brought back.">
      <History<Schemas["FeatureFlagRevision"]>
        load={({ cursor }) => read("/api/v1/feature-flags/{id}/revisions", { params: { path, query: { cursor } } })}
        one={(revision) => read("/api/v1/feature-flags/{id}/revisions/{revision}", { params: { path: { ...path, revision } } })}
        current={{ revision: flag.revision, spec }}
        revert={async (wanted) => {
          const { proposal } = await revert(wanted, mergePatch(spec, wanted.spec) as Schemas["FeatureFlagPatch"]);
          if (proposal) go(proposal);
        }}
      />
    </Section>
  );
}
