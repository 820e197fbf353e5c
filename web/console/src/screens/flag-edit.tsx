import type { Schemas } from "@gateline/api-client";
import { Detail, Loaded, useGo } from "@gateline/ui";
import { useState } from "react";
import { FlagForm } from "../flags/flag-form";
import { type Flag, variantsOf, variantsPatch } from "../flags/model";
import { Proposals, useChange } from "../flags/proposals";
import { useFlag } from "../flags/queries";
import { pointerOf, problem } from "../flags/variants";

/** Changes what is said of a flag for all environments. */
export default function FlagEdit() {
  const query = useFlag();
  return (
    <Loaded query={query}>
      {(flag) => (
        <Detail
          from={[`/flags/${flag.id}`, flag.title || flag.key]}
          title="Change the feature flag"
          text="For all environments. A variant that an environment gives cannot be taken away or renamed."
        >
          <Proposals>
            <Form flag={flag} />
          </Proposals>
        </Detail>
      )}
    </Loaded>
  );
}

function Form(props: { flag: Flag }) {
  // As it was when somebody began to change it: what others change meanwhile is not overwritten unseen.
  const [flag] = useState(props.flag);
  const go = useGo();
  const save = useChange(flag);
  return (
    <FlagForm
      flag={flag}
      submit="Save changes"
      cancel={`/flags/${flag.id}`}
      send={async ({ title, description, client_side, tags, owner, expires_at, variants }) => {
        const { patch, impossible } = variantsPatch(variantsOf(flag), variants);
        if (impossible.length > 0) {
          throw problem(impossible.map((name) => ({ pointer: pointerOf(name), detail: "A change takes away what is `null`. Leave the part out, or make another flag." })));
        }
        return save({ title, description, client_side, tags, owner, expires_at, variants: patch } as Schemas["FeatureFlagPatch"]);
      }}
      after={({ id, proposal }) => go(proposal ?? `/flags/${id}`)}
    />
  );
}
