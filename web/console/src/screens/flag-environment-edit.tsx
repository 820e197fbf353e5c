import { Detail, Loaded, useGo, useParam } from "@gateline/ui";
import { useState } from "react";
import { TargetingForm } from "../flags/editor/targeting-form";
import { environmentPath } from "../flags/frame";
import { type Flag, beginning, offOf } from "../flags/model";
import { Proposals, useChange } from "../flags/proposals";
import { environmentPatch, useFlag } from "../flags/queries";

/** Changes who gets what of a flag in one environment. */
export default function FlagEnvironmentEdit() {
  const environment = useParam("environment");
  const query = useFlag();
  return (
    <Loaded query={query}>
      {(flag) => (
        <Detail from={[environmentPath(flag, environment), `${flag.title || flag.key} in ${environment}`]} title="Who gets what" text="The first that fits decides, from above. A change is in force within a second.">
          <Proposals>
            <Form key={environment} flag={flag} environment={environment} />
          </Proposals>
        </Detail>
      )}
    </Loaded>
  );
}

function Form(props: { flag: Flag; environment: string }) {
  const { environment } = props;
  // As it was when somebody began to change it: what others change meanwhile is not overwritten unseen.
  const [flag] = useState(props.flag);
  const go = useGo();
  const change = useChange(flag);
  const back = environmentPath(flag, environment);
  return (
    <TargetingForm
      flag={flag}
      environment={environment}
      targeting={flag.environments[environment] ?? beginning(offOf(flag))}
      cancel={back}
      send={(targeting) => change(environmentPatch(flag, environment, targeting))}
      after={({ proposal }) => go(proposal ?? back)}
    />
  );
}
