/** A share that grows by a schedule, as a form. */
import { Button, RowList, figure } from "@gateline/ui";
import { useState } from "react";
import type { Outcome, Rollout } from "../model";
import { following, unitsOf } from "../rollout";
import { MomentField, Small, VariantField } from "./small";
import { UnitsFields } from "./units";

interface Props {
  outcome: Outcome & { rollout: Rollout };
  set: (outcome: Outcome) => void;
  /** Where `rollout` and `by` stand in the request's body. */
  pointer: string;
}

/** Who gets it, the steps, and by what units are told apart. */
export function RolloutEditor({ outcome, set, pointer }: Props) {
  const { rollout } = outcome;
  const { steps, start = 0, smooth = false } = rollout;
  const at = `${pointer}/rollout`;
  const change = (next: Partial<Rollout>) => set({ rollout: { ...rollout, ...next }, ...unitsOf(outcome) });
  const changeStep = (index: number, step: Partial<Rollout["steps"][number]>) =>
    change({ steps: steps.map((each, place) => (place === index ? { ...each, ...step } : each)) });
  return (
    <div className="max-w-lg space-y-3">
      <div className="flex flex-wrap gap-3">
        <VariantField label="Variant that grows" pointer={`${at}/serve`} value={rollout.serve} set={(serve) => change({ serve })} />
        <VariantField label="All others get" pointer={`${at}/others`} value={rollout.others} set={(others) => change({ others })} />
        <PercentField label="Share before the first step" pointer={`${at}/start`} value={start} set={(percent) => change({ start: percent })} />
      </div>
      <fieldset>
        <legend className="mb-1 text-sm text-ink-2">Steps</legend>
        <RowList
          label="steps"
          count={steps.length}
          remove={(index) => change({ steps: steps.toSpliced(index, 1) })}
          add={() => change({ steps: [...steps, following(rollout)] })}
          adds="Add a step"
          row={(index) => (
            <div className="flex min-w-0 flex-1 flex-wrap gap-2">
              <MomentField label={`Step ${index + 1}: from`} pointer={`${at}/steps/${index}/at`} value={steps[index]?.at} set={(moment) => change({ steps: steps.with(index, { ...following({ steps: [] }), ...steps[index], at: moment ?? "" }) })} />
              <PercentField label={`Step ${index + 1}: share`} pointer={`${at}/steps/${index}/percent`} value={steps[index]?.percent ?? 0} set={(percent) => changeStep(index, { percent })} />
            </div>
          )}
        />
      </fieldset>
      <Button small kind={smooth ? "secondary" : "plain"} aria-pressed={smooth} className={smooth ? "border-accent! text-accent!" : ""} onClick={() => change({ smooth: !smooth })}>
        Grow all the time between steps
      </Button>
      <UnitsFields units={unitsOf(outcome)} set={(units) => set({ rollout, ...units })} pointer={pointer} />
    </div>
  );
}

const number = (text: string): number => figure(text) ?? 0;

/** A share in percent; what is no number is sent as it stands, so that the API says so. */
function PercentField(props: { label: string; pointer: string; value: number; set: (percent: number) => void }) {
  const [typed, setTyped] = useState(String(props.value));
  // A number that was not typed here comes from the JSON.
  const shown = number(typed) === props.value ? typed : String(props.value);
  return (
    <Small label={`${props.label}, in percent`} pointer={props.pointer} className="flex-[0_1_10rem]">
      {(attributes) => (
        <input
          {...attributes}
          className="input tnum text-right"
          inputMode="decimal"
          autoComplete="off"
          value={shown}
          onChange={(event) => {
            setTyped(event.target.value);
            props.set(number(event.target.value));
          }}
        />
      )}
    </Small>
  );
}
