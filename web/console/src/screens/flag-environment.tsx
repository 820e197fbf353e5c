import { Badge, Button, ButtonLink, Command, ConfirmButton, Empty, ProblemNote, Said, useGo, useParam } from "@gateline/ui";
import { useState } from "react";
import { Flow } from "../flags/flow";
import { FlagFrame, environmentPath } from "../flags/frame";
import { LeftOut } from "../flags/left-out";
import { type Flag, type Targeting, beginning, offOf } from "../flags/model";
import { useChange } from "../flags/proposals";
import { environmentPatch, useEnvironments } from "../flags/queries";
import { TryIt, useTrial } from "../flags/try";

/** Who gets what of a flag in one environment. */
export default function FlagEnvironment() {
  const environment = useParam("environment");
  return (
    <FlagFrame>
      {(flag) => {
        const targeting = flag.environments[environment];
        return targeting ? (
          <Targeted key={environment} flag={flag} environment={environment} targeting={targeting} />
        ) : (
          <Absent key={environment} flag={flag} environment={environment} />
        );
      }}
    </FlagFrame>
  );
}

function Targeted(props: { flag: Flag; environment: string; targeting: Targeting }) {
  const { flag, environment, targeting } = props;
  const trial = useTrial(flag, environment);
  const change = useChange(flag);
  const go = useGo();
  const environments = useEnvironments();
  const isProtected = environments.data?.data.some((each) => each.name === environment && each.protected);
  const takeAway = async () => {
    const { proposal } = await change(environmentPatch(flag, environment, undefined));
    if (proposal) go(proposal);
  };
  return (
    <div className="grid gap-8 xl:grid-cols-[minmax(0,1fr)_22rem]">
      <section aria-labelledby="who">
        <div className="mb-2.5 flex flex-wrap items-end justify-between gap-2">
          <div>
            <div className="flex items-center gap-2.5">
              <h2 id="who" className="text-lg">
                Who gets what
              </h2>
              {isProtected && <Badge tone="accent">Protected</Badge>}
            </div>
            <p className="text-sm text-ink-2">
              {isProtected ? "A change needs somebody else's yes; turning it off does not." : "The first that fits decides, from above."}
            </p>
          </div>
          <div className="flex gap-2">
            <ButtonLink to={`${environmentPath(flag, environment)}/edit`} kind="primary">
              Edit
            </ButtonLink>
            <ConfirmButton label="Take away" title={`Take ${flag.key} away from ${environment}?`} onConfirm={takeAway}>
              <p>
                <Said text={`Programs in \`${environment}\` use their own default within a second, and what is said here of who gets what is gone. To keep it, turn the flag off instead.`} />
              </p>
            </ConfirmButton>
          </div>
        </div>
        <Flow flag={flag} environment={environment} targeting={targeting} trial={trial.answer} />
        <LeftOut flag={flag} environment={environment} />
      </section>
      <div className="xl:sticky xl:top-6 xl:max-h-[calc(100vh-3rem)] xl:self-start xl:overflow-y-auto">
        <TryIt targeting={targeting} trial={trial} />
      </div>
    </div>
  );
}

/** The flag is not in the environment: it can begin there, off for all or as it is elsewhere. */
function Absent({ flag, environment }: { flag: Flag; environment: string }) {
  const change = useChange(flag);
  const go = useGo();
  const [as, setAs] = useState("");
  const [state, setState] = useState<{ busy?: boolean; error?: Error }>({});
  const add = async () => {
    setState({ busy: true });
    try {
      const { proposal } = await change(environmentPatch(flag, environment, flag.environments[as] ?? beginning(offOf(flag))));
      setState({});
      if (proposal) go(proposal);
    } catch (error) {
      setState({ error: error as Error });
    }
  };
  return (
    <Empty
      title={`It is not in ${environment}`}
      action={
        <div className="flex flex-wrap gap-2">
          <select aria-label="It begins" className="input w-auto" value={as} onChange={(event) => setAs(event.target.value)}>
            <option value="">With {offOf(flag)} for everybody</option>
            {Object.keys(flag.environments).map((name) => (
              <option key={name} value={name}>
                As it is in {name}
              </option>
            ))}
          </select>
          <Button kind="primary" busy={state.busy ?? false} onClick={() => void add()}>
            Add it to {environment}
          </Button>
        </div>
      }
    >
      <p>Programs that ask for it there are told that there is no such flag, and use their own default.</p>
      <Command text={`gateline flags set ${flag.key} --environment ${environment} --on 10%`} />
      {state.error && <ProblemNote error={state.error} />}
    </Empty>
  );
}
