/** What somebody gets: one variant, or a part of a split or of a share that grows. */
import { Button, Said, figure, useWrong } from "@gateline/ui";
import { step } from "@gateline/ui/schema.ts";
import { useContext, useState } from "react";
import { SplitBar } from "../flow";
import { type Outcome, type Rule, type Units, given } from "../model";
import { outcomeInWords, percent } from "../words";
import { rolledOut, splitUp, unitsOf } from "../rollout";
import { RolloutEditor } from "./rollout";
import { Small, VariantsContext } from "./small";
import { UnitsFields } from "./units";

/** Choices beside the variants, which have no such names. */
const SPLIT = "";
const ROLLOUT = " ";
const KEPT = "  ";

interface Props {
  outcome: Outcome & Pick<Rule, "logic">;
  set: (outcome: Outcome) => void;
  /** Where `serve`, `split`, `rollout` and `by` stand in the request's body. */
  pointer: string;
  off: string;
}

/** The choice between them. */
export function OutcomeEditor({ outcome, set, pointer, off }: Props) {
  const names = useContext(VariantsContext);
  const { serve, split, rollout, buckets, logic } = outcome;
  // What came from another product can be kept, and changed in the JSON.
  const isKept = buckets !== undefined || logic !== undefined;
  const choose = (chosen: string) => {
    if (chosen === KEPT) return;
    if (chosen === SPLIT) set(splitUp(outcome, off));
    else set(chosen === ROLLOUT ? rolledOut(outcome, { off, names }) : { serve: chosen });
  };
  const field = split ? "split" : rollout ? "rollout" : buckets ? "buckets" : logic === undefined ? "serve" : "logic";
  const chosen = split ? SPLIT : rollout ? ROLLOUT : isKept ? KEPT : (serve ?? "");
  return (
    <div className="space-y-3">
      <Small label="They get" pointer={`${pointer}/${field}`} className="max-w-sm">
        {(attributes) => (
          <select {...attributes} className="input" value={chosen} onChange={(event) => choose(event.target.value)}>
            {isKept && <option value={KEPT}>As it came from another product</option>}
            {serve !== undefined && !names.includes(serve) && <option value={serve}>{serve || "–"}</option>}
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
            <option value={SPLIT}>A split by percent</option>
            <option value={ROLLOUT}>A share that grows by a schedule</option>
          </select>
        )}
      </Small>
      {isKept && (
        <p className="text-sm text-ink-2">
          <Said text={`They get ${outcomeInWords(outcome)}. It is kept as it is; the JSON can change it.`} />
        </p>
      )}
      {split && <Split split={split} units={unitsOf(outcome)} set={set} pointer={pointer} off={off} />}
      {rollout && <RolloutEditor outcome={{ ...outcome, rollout }} set={set} pointer={pointer} />}
    </div>
  );
}

interface SplitProps {
  split: Record<string, number>;
  units: Units;
  set: (outcome: Outcome) => void;
  pointer: string;
  off: string;
}

function Split({ split, units, set, pointer, off }: SplitProps) {
  const names = useContext(VariantsContext);
  const all = [...new Set([...names, ...Object.keys(split)])];
  const left = Math.round((100 - given(split)) * 1000) / 1000;
  const weigh = (name: string, weight: number | undefined) => {
    const { [name]: _, ...others } = split;
    set({ split: weight === undefined ? others : { ...split, [name]: weight }, ...units });
  };
  return (
    <div className="max-w-sm space-y-3">
      <SplitBar split={split} off={off} />
      <ul className="space-y-1.5">
        {all.map((name) => (
          <li key={name}>
            <Weight name={name} weight={split[name]} left={left} pointer={`${pointer}/split${step(name)}`} set={(weight) => weigh(name, weight)} />
          </li>
        ))}
      </ul>
      <p className={`text-sm ${left === 0 ? "text-ink-2" : "text-warn"}`} role="status">
        {left === 0 ? "100 % are given out." : left > 0 ? `${percent(left)} are left.` : `${percent(-left)} too much.`}
      </p>
      <UnitsFields units={units} set={(next) => set({ split, ...next })} pointer={pointer} />
    </div>
  );
}

/** The share of a variant; what is left of 100 can be added to it. */
function Weight(props: { name: string; weight: number | undefined; left: number; pointer: string; set: (weight: number | undefined) => void }) {
  const { weight, left } = props;
  const wrong = useWrong(props.pointer);
  const [text, setText] = useState(String(weight ?? ""));
  const [known, setKnown] = useState(weight);
  // A share that was not typed here: the rest was given to it, or the JSON was changed.
  if (weight !== known) {
    setKnown(weight);
    if (weight !== figure(text)) setText(String(weight ?? ""));
  }
  const rest = Math.round(((typeof weight === "number" ? weight : 0) + left) * 1000) / 1000;
  return (
    <>
      <div className="flex items-center gap-2">
        <label className="flex min-w-0 flex-1 items-center justify-between gap-3">
          <code className="min-w-0 truncate" title={props.name}>
            {props.name}
          </code>
          <span className="flex shrink-0 items-center gap-1.5">
            <input
              aria-label={`Share of ${props.name} in percent`}
              className="input tnum w-22 text-right"
              inputMode="decimal"
              autoComplete="off"
              placeholder="0"
              aria-invalid={wrong !== undefined}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                props.set(figure(event.target.value));
              }}
            />
            <span aria-hidden="true">%</span>
          </span>
        </label>
        <span className="w-20">
          {left !== 0 && rest >= 0 && (
            <Button small kind="plain" aria-label={`Give the rest to ${props.name}`} onClick={() => props.set(rest === 0 ? undefined : rest)}>
              {left > 0 ? `+ ${left}` : `− ${-left}`}
            </Button>
          )}
        </span>
      </div>
      {wrong && (
        <p className="mt-1 text-sm text-bad">
          <Said text={wrong} />
        </p>
      )}
    </>
  );
}
