/** The big switch of a flag in an environment, and the quick change of a simple share. */
import { Button, Confirm, Dialog, ProblemNote, Said, figure, useGo } from "@gateline/ui";
import { useId, useState } from "react";
import { type Flag, type Targeting, UNIT, hasOwnUnits, isSerious, shareOf, shared } from "./model";
import { useChange } from "./proposals";
import { environmentPatch } from "./queries";
import { conditionInWords, listed, outcomeInWords, percent } from "./words";

interface Props {
  flag: Flag;
  environment: string;
  targeting: Targeting;
}

/** Turns the flag on and off; asks first where users may notice. */
export function FlagSwitch({ flag, environment, targeting }: Props) {
  const change = useChange(flag);
  const [state, setState] = useState<{ asking?: boolean; busy?: boolean; error?: Error }>({});
  const on = targeting.enabled !== false;
  const go = useGo();
  const turn = async () => {
    const { proposal } = await change(environmentPatch(flag, environment, { ...targeting, enabled: !on }));
    if (proposal) go(proposal);
  };
  const press = async () => {
    if (isSerious(environment)) return setState({ asking: true });
    setState({ busy: true });
    try {
      await turn();
      setState({});
    } catch (error) {
      setState({ error: error as Error });
    }
  };
  return (
    <>
      <button
        type="button"
        role="switch"
        aria-checked={on}
        aria-busy={state.busy || undefined}
        aria-label={`On in ${environment}`}
        onClick={() => void (state.busy || press())}
        className={`relative h-6 w-11 shrink-0 rounded-full border transition-colors ${on ? "border-ok bg-ok" : "border-line-strong bg-line-strong"}`}
      >
        <span className={`absolute top-0.5 left-0.5 size-4.5 rounded-full bg-surface transition-transform ${on ? "translate-x-5" : ""}`} />
      </button>
      <Confirm
        open={state.asking ?? false}
        onClose={() => setState({})}
        title={`Turn ${flag.key} ${on ? "off" : "on"} in ${environment}?`}
        action={on ? "Turn off" : "Turn on"}
        onConfirm={turn}
      >
        <p>
          <Said text={on ? `Everybody gets \`${targeting.off}\` within a second, whatever the rules say.` : `Within a second: ${inShort(targeting)}.`} />
        </p>
      </Confirm>
      <Dialog open={state.error !== undefined} onClose={() => setState({})} title="Nothing was changed">
        {state.error && <ProblemNote error={state.error} />}
      </Dialog>
    </>
  );
}

/** What being on means. */
function inShort({ rules = [], otherwise }: Targeting): string {
  const [first] = rules;
  const begin = first && rules.length === 1 ? `${conditionInWords(first.when)}: ${outcomeInWords(first)}; ` : rules.length > 0 ? `${rules.length} rules; ` : "";
  return `${begin}everybody${begin ? " else" : ""} gets ${outcomeInWords(otherwise)}`;
}

/** The attributes that a split goes by. */
const unitsOf = ({ otherwise: { by, or_by = [] } }: Targeting): string => listed([by ?? UNIT, ...or_by]);

const STEPS = [0, 1, 5, 10, 25, 50, 100];

/** Raises and lowers the share of all that gets a variant. */
export function QuickShare({ flag, environment, targeting }: Props) {
  const share = shareOf(flag, targeting);
  const change = useChange(flag);
  const go = useGo();
  const id = useId();
  const [typed, setTyped] = useState<string>();
  const [state, setState] = useState<{ busy?: boolean; error?: Error }>({});
  if (!share) return null;
  const text = typed ?? String(share.percent);
  const wanted = figure(text);
  const valid = typeof wanted === "number" && wanted >= 0 && wanted <= 100;
  const set = async () => {
    if (!valid) return;
    setState({ busy: true });
    try {
      const { proposal } = await change(environmentPatch(flag, environment, { ...targeting, otherwise: shared(targeting, share.variant, wanted) }));
      setTyped(undefined);
      setState({});
      if (proposal) go(proposal);
    } catch (error) {
      setState({ error: error as Error });
    }
  };
  return (
    <form
      className="mt-3 space-y-2"
      onSubmit={(event) => {
        event.preventDefault();
        void set();
      }}
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <label htmlFor={id} className="text-sm text-ink-2">
          Share of <code className="text-ink">{share.variant}</code>
        </label>
        <input
          type="range"
          aria-label={`Share of ${share.variant}, by hand`}
          min={0}
          max={100}
          step={1}
          value={valid ? wanted : share.percent}
          onChange={(event) => setTyped(event.target.value)}
          className="min-w-24 flex-1 accent-accent"
        />
        <span className="flex items-center gap-1.5">
          <input
            id={id}
            className="input tnum w-20 text-right"
            inputMode="decimal"
            autoComplete="off"
            aria-invalid={!valid}
            value={text}
            onChange={(event) => setTyped(event.target.value)}
          />
          %
        </span>
        <Button type="submit" busy={state.busy ?? false} disabled={!valid || wanted === share.percent}>
          {valid && wanted !== share.percent ? `Set to ${percent(wanted)}` : "Set"}
        </Button>
      </div>
      <div role="group" aria-label="Usual shares" className="flex flex-wrap gap-1">
        {STEPS.map((each) => (
          <Button key={each} small kind="plain" aria-pressed={wanted === each} className="tnum" onClick={() => setTyped(String(each))}>
            {percent(each)}
          </Button>
        ))}
      </div>
      {wanted === 100 && hasOwnUnits(targeting.otherwise) && (
        <p className="text-sm text-ink-2">
          <Said text={`All of whom ${unitsOf(targeting)} is known. Others go on to get \`${targeting.off}\`, unless everybody is given \`${share.variant}\` in the form.`} />
        </p>
      )}
      {state.error && <ProblemNote error={state.error} />}
    </form>
  );
}
