/** Who gets what in an environment, in the order in which it is decided; with the steps of a trial where they belong. */
import { Badge, Said, moment } from "@gateline/ui";
import type { ReactNode } from "react";
import { ConditionTree, StepLine } from "./condition-tree";
import type { Explanation, Flag, Outcome, Rule, Step, Targeting } from "./model";
import { KeptList, RolloutTable } from "./rollout-table";
import { FlagSwitch, QuickShare } from "./switch";
import { gateInWords, listed, outcomeInWords, partsOf, requiresInWords, rolloutNow, titleOf } from "./words";

interface Props {
  flag: Flag;
  environment: string;
  targeting: Targeting;
  trial: Explanation | undefined;
}

/** What came of a part in a trial. */
type Verdict = "decides" | "holds" | "fails" | "skipped";

const verdicts: Record<Verdict, [tone: "accent" | "ok" | "warn" | "neutral", text: string]> = {
  decides: ["accent", "Decides"],
  holds: ["ok", "Passed"],
  fails: ["neutral", "Does not fit"],
  skipped: ["neutral", "Not looked at"],
};

/** What came of the part at a pointer: its own step is the last one when it decides. */
function verdictOf(steps: Step[] | undefined, pointer: string): Verdict | undefined {
  if (!steps) return undefined;
  const last = steps.at(-1);
  if (last?.pointer === pointer) return "decides";
  const own = steps.filter((step) => step.pointer === pointer || step.pointer.startsWith(`${pointer}/`));
  if (own.length === 0) return "skipped";
  return own.every((step) => step.holds) ? "holds" : "fails";
}

/** The parts of a flag for an environment. */
export function Flow({ flag, environment, targeting, trial }: Props) {
  const { prerequisites = [], overrides = [], rules = [], otherwise, off } = targeting;
  const on = targeting.enabled !== false;
  const steps = trial?.steps;
  const stepAt = (pointer: string) => steps?.find((step) => step.pointer === pointer);
  const narrows = prerequisites.length + overrides.length + rules.length > 0;
  return (
    <ol className="divide-y divide-line rounded-lg border border-line bg-surface">
      <Item title={on ? "On" : "Off"} lead={<FlagSwitch flag={flag} environment={environment} targeting={targeting} />} verdict={verdictOf(steps, "/enabled")}>
        <p className="text-ink-2">
          <Said text={on ? `Off, everybody would get \`${off}\`.` : `Everybody gets \`${off}\`. What stands below counts when it is on.`} />
        </p>
        <StepLine step={stepAt("/enabled")} />
      </Item>
      {prerequisites.map((each, place) => (
        <Item key={each.flag} title="Only if" verdict={verdictOf(steps, `/prerequisites/${place}`)}>
          <p>
            <Said text={`The flag \`${each.flag}\` gives ${listed(each.variants)}; else \`${off}\`.`} />
          </p>
          <StepLine step={stepAt(`/prerequisites/${place}`)} />
        </Item>
      ))}
      {overrides.map((each, place) => (
        // Two may be for the same attribute; their order is what tells them apart.
        // eslint-disable-next-line react/no-array-index-key
        <Item key={place} title="Override" gets={{ serve: each.serve }} off={off} verdict={verdictOf(steps, `/overrides/${place}`)}>
          <p>
            <Said text={`\`${each.by}\` is ${listed(each.values)}`} />
          </p>
          <StepLine step={stepAt(`/overrides/${place}`)} />
        </Item>
      ))}
      {rules.map((rule, place) => (
        // eslint-disable-next-line react/no-array-index-key
        <Item key={place} title={`Rule ${titleOf(rule, place)}`} gets={rule} off={off} verdict={verdictOf(steps, `/rules/${place}`)}>
          <RuleText rule={rule} pointer={`/rules/${place}`} steps={steps ?? []} />
        </Item>
      ))}
      <Item title={narrows ? "Everybody else" : "Everybody"} gets={otherwise} off={off} verdict={verdictOf(steps, "/otherwise")}>
        <StepLine step={stepAt("/otherwise")} />
        <QuickShare key={flag.revision} flag={flag} environment={environment} targeting={targeting} />
      </Item>
    </ol>
  );
}

function RuleText({ rule, pointer, steps }: { rule: Rule; pointer: string; steps: Step[] }) {
  const stepAt = (place: string) => steps.find((step) => step.pointer === `${pointer}${place}`);
  const times = [rule.from && `from ${when(rule.from)}`, rule.until && `until ${when(rule.until)}`].filter(Boolean).join(" ");
  return (
    <div className="space-y-1">
      {times && (
        <p>
          Only {times}
          <StepLine step={stepAt("/from") ?? stepAt("/until")} />
        </p>
      )}
      {rule.when ? <ConditionTree condition={rule.when} pointer={`${pointer}/when`} steps={steps} /> : <p>Everybody</p>}
      {(rule.gates ?? []).map((gate, place) => (
        <div key={`${gate.key} ${gate.by}`}>
          <p>
            <Said text={`Of these, ${gateInWords(gate)}`} />
          </p>
          <StepLine step={stepAt(`/gates/${place}`)} />
        </div>
      ))}
      {(rule.requires ?? []).map((each, place) => (
        <div key={each.flag}>
          <p>
            <Said text={requiresInWords(each)} />
          </p>
          <StepLine step={stepAt(`/requires/${place}`)} />
        </div>
      ))}
      {rule.sticky && <p>Sticky: whoever was let pass keeps their variant when the split is changed.</p>}
      {rule.kept && rule.kept.length > 0 && <KeptList kept={rule.kept} gate={rule.gates?.[0]?.key ?? ""} />}
      {(rule.kept ?? []).map((each, place) => (
        <StepLine key={JSON.stringify(each.parts)} step={stepAt(`/kept/${place}`)} />
      ))}
      <StepLine step={stepAt("")} />
    </div>
  );
}

/** A moment of a rule; what is none stands as it is. */
const when = (text: string): string => (Number.isNaN(Date.parse(text)) ? text : moment(text));

function Item(props: { title: string; lead?: ReactNode; gets?: Outcome; off?: string; verdict: Verdict | undefined; children: ReactNode }) {
  const verdict = props.verdict && verdicts[props.verdict];
  return (
    <li className={`px-4 py-3 ${props.verdict === "decides" ? "bg-accent-soft/50" : ""}`}>
      <div className="mb-1 flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <div className="flex min-w-0 items-center gap-2.5">
          {props.lead}
          <h3 className="min-w-0 break-words">{props.title}</h3>
          {verdict && <Badge tone={verdict[0]}>{verdict[1]}</Badge>}
        </div>
        {props.gets && <Gets outcome={props.gets} off={props.off ?? ""} />}
      </div>
      {props.children}
    </li>
  );
}

/** What somebody gets; a split also as a bar. */
function Gets({ outcome, off }: { outcome: Outcome; off: string }) {
  return (
    <div className="max-w-full text-right">
      <p>
        <span aria-hidden="true" className="text-ink-2">
          →{" "}
        </span>
        <Said text={outcome.rollout ? rolloutNow(outcome.rollout, outcome) : outcomeInWords(outcome)} />
      </p>
      {outcome.rollout && <RolloutTable rollout={outcome.rollout} />}
      {outcome.split && <SplitBar split={outcome.split} off={off} />}
    </div>
  );
}

/** Strong for the first, paler for each that follows. */
const shades = [100, 60, 35, 20];

/** The shares of a split as a bar; the variant of `off` is grey. */
export function SplitBar({ split, off }: { split: Record<string, number>; off: string }) {
  const parts = partsOf(split).filter(([variant]) => variant !== off);
  return (
    <div aria-hidden="true" className="mt-1 flex h-1.5 w-full min-w-40 overflow-hidden rounded-full bg-line-strong">
      {parts.map(([variant, share], place) => (
        <span
          key={variant}
          className="border-r border-surface last:border-0"
          style={{ width: `${share}%`, background: `color-mix(in oklab, var(--accent) ${shades[Math.min(place, shades.length - 1)]}%, var(--surface))` }}
        />
      ))}
    </div>
  );
}
