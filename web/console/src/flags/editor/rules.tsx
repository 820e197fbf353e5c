/** The rules, in the order in which they are looked at. */
import { Button, RowList, Said, useWrong } from "@gateline/ui";
import { useState } from "react";
import { type Gate, type Outcome, type Prerequisite, type Rule, UNIT } from "../model";
import { conditionInWords, outcomeInWords, titleOf } from "../words";
import { KeptList } from "../rollout-table";
import { Cards } from "./cards";
import { WhenEditor } from "./condition";
import { GateFields } from "./gate";
import { PrerequisitesEditor } from "./needs";
import { OutcomeEditor } from "./outcome";
import { MomentField, SmallText } from "./small";

interface Props {
  rules: Rule[];
  set: (rules: Rule[]) => void;
  pointer: string;
  off: string;
  /** The flag's key. */
  self: string;
}

/** All of them. */
export function RulesEditor({ rules, set, pointer, off, self }: Props) {
  return (
    <Cards<Rule>
      noun="rule"
      items={rules}
      set={set}
      fresh={() => ({ when: { attribute: "", op: "in", values: [] }, serve: off })}
      pointer={pointer}
      title={(rule, index) => titleOf(rule, index)}
      summary={(rule) => <Said text={`${conditionInWords(rule.when)} → ${outcomeInWords(rule)}`} />}
      body={(rule, index, change) => <RuleFields rule={rule} set={change} pointer={`${pointer}/${index}`} off={off} self={self} />}
    />
  );
}

const OUTCOME = ["serve", "split", "rollout", "buckets", "by", "or_by", "logic"];
const STICKY = ["sticky", "kept"];

/** The rule with another outcome; only those of a split are kept. */
function withOutcome(rule: Rule, outcome: Outcome): Rule {
  const gone = outcome.split ? OUTCOME : [...OUTCOME, ...STICKY];
  const { serve, split, rollout, by, or_by } = outcome;
  const said = Object.entries({ serve, split, rollout, by, or_by }).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...Object.entries(rule).filter(([name]) => !gone.includes(name)), ...said]) as Rule;
}

/** The rule with or without a part. */
function withPart<Name extends keyof Rule>(rule: Rule, name: Name, value: Rule[Name] | undefined): Rule {
  const { [name]: _, ...others } = rule;
  return value === undefined ? (others as Rule) : { ...rule, [name]: value };
}

interface FieldsProps extends Pick<Props, "pointer" | "off" | "self"> {
  rule: Rule;
  set: (rule: Rule) => void;
}

function RuleFields({ rule, set, pointer, off, self }: FieldsProps) {
  const wrong = useWrong(pointer);
  return (
    <>
      {wrong && (
        <p className="text-sm text-bad" data-wrong="" tabIndex={-1}>
          <Said text={wrong} />
        </p>
      )}
      <div className="flex flex-wrap gap-x-3 gap-y-4">
        <SmallText label="Name (optional)" pointer={`${pointer}/name`} placeholder="What answers call it" value={rule.name ?? ""} set={(name) => set(withPart(rule, "name", name || undefined))} />
        <MomentField label="From (optional)" pointer={`${pointer}/from`} value={rule.from} set={(from) => set(withPart(rule, "from", from))} />
        <MomentField label="Until (optional)" pointer={`${pointer}/until`} value={rule.until} set={(until) => set(withPart(rule, "until", until))} />
      </div>
      <WhenEditor when={rule.when} set={(when) => set(withPart(rule, "when", when))} pointer={`${pointer}/when`} />
      <Gates gates={rule.gates ?? []} set={(gates) => set(withPart(rule, "gates", gates.length > 0 ? gates : undefined))} pointer={`${pointer}/gates`} />
      <Requires of={rule.requires ?? []} set={(needed) => set(withPart(rule, "requires", needed.length > 0 ? needed : undefined))} pointer={`${pointer}/requires`} self={self} />
      <OutcomeEditor outcome={rule} set={(outcome) => set(withOutcome(rule, outcome))} pointer={pointer} off={off} />
      {(rule.sticky || rule.kept || (rule.split && (rule.gates ?? []).length > 0)) && <Sticky rule={rule} set={set} pointer={pointer} />}
    </>
  );
}

/** Whether those who were let pass keep what they have, and what some have. */
function Sticky({ rule, set, pointer }: { rule: Rule; set: (rule: Rule) => void; pointer: string }) {
  const [wrong, wrongKept] = [useWrong(`${pointer}/sticky`), useWrong(`${pointer}/kept`)];
  const { sticky = false, kept = [] } = rule;
  return (
    <div className="space-y-1.5">
      <label className="flex items-center gap-2">
        <input type="checkbox" className="size-4 accent-accent" checked={sticky} onChange={(event) => set(withPart(rule, "sticky", event.target.checked || undefined))} />
        Sticky
      </label>
      <p className="text-sm text-ink-2">Whoever the gates have let pass keeps their variant when the split is changed: the new one is for newcomers. The rule needs a name.</p>
      {kept.length > 0 && <KeptList kept={kept} gate={rule.gates?.[0]?.key ?? ""} />}
      {kept.length > 0 && !sticky && (
        <Button small title="Everybody gets what the split says" onClick={() => set(withPart(rule, "kept", undefined))}>
          Let go of them
        </Button>
      )}
      {[wrong, wrongKept].map(
        (each) =>
          each && (
            <p key={each} className="text-sm text-bad" data-wrong="" tabIndex={-1}>
              <Said text={each} />
            </p>
          ),
      )}
    </div>
  );
}

const freshGate = (): Gate => ({ key: "", by: UNIT, parts: [[0, 50]] });

/** Gates, behind a button as long as there are none: few rules need one. */
function Gates({ gates, set, pointer }: { gates: Gate[]; set: (gates: Gate[]) => void; pointer: string }) {
  const [shown, setShown] = useState(gates.length > 0);
  const change = (index: number, gate: Gate) => set(gates.with(index, gate));
  if (!shown && gates.length === 0) {
    return (
      <Button
        small
        kind="plain"
        title="Only a share of those whom it fits, the same for all flags that name the gate"
        onClick={() => {
          setShown(true);
          set([freshGate()]);
        }}
      >
        Add a gate
      </Button>
    );
  }
  return (
    <fieldset>
      <legend className="text-sm text-ink-2">Gates: all must be open</legend>
      <p className="mb-2 text-sm text-ink-2">A gate lets a share of all units pass, the same for all flags that name its key. Parts that do not overlap never meet.</p>
      <RowList
        label="gates"
        count={gates.length}
        remove={(index) => set(gates.toSpliced(index, 1))}
        add={() => set([...gates, freshGate()])}
        adds="Add a gate"
        row={(index) => {
          const gate = gates[index] ?? freshGate();
          return <GateFields gate={gate} set={(next) => change(index, next)} pointer={`${pointer}/${index}`} />;
        }}
      />
    </fieldset>
  );
}

/** What other flags must give for the rule, behind a button as long as that is nothing. */
function Requires(props: { of: Prerequisite[]; set: (of: Prerequisite[]) => void; pointer: string; self: string }) {
  const { of, set, pointer, self } = props;
  const [shown, setShown] = useState(of.length > 0);
  if (!shown && of.length === 0) {
    return (
      <Button
        small
        kind="plain"
        title="Only if other flags give what they must; otherwise the next rule is looked at"
        onClick={() => {
          setShown(true);
          set([{ flag: "", variants: [] }]);
        }}
      >
        Add a prerequisite of the rule
      </Button>
    );
  }
  return (
    <fieldset>
      <legend className="text-sm text-ink-2">Prerequisites of the rule: if one is not met, the next rule is looked at</legend>
      <PrerequisitesEditor of={of} set={set} pointer={pointer} self={self} />
    </fieldset>
  );
}
