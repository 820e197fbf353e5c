/** A condition as nested lines, each with what a trial said of it. */
import { Said } from "@gateline/ui";
import { Link } from "@tanstack/react-router";
import type { Condition, Step } from "./model";
import { conditionInWords } from "./words";

interface Props {
  condition: Condition;
  /** Where it stands in the flag's part for the environment. */
  pointer: string;
  /** The steps of a trial; none without one. */
  steps: Step[];
}

/** The parts of a condition, one below the other. */
export function ConditionTree({ condition, pointer, steps }: Props) {
  if ("all" in condition) {
    return <Parts title={condition.all.length === 0 ? "Everybody" : "All of"} of={condition.all} pointer={`${pointer}/all`} steps={steps} />;
  }
  if ("any" in condition) {
    return <Parts title={condition.any.length === 0 ? "Nobody" : "At least one of"} of={condition.any} pointer={`${pointer}/any`} steps={steps} />;
  }
  if ("not" in condition) {
    return (
      <div>
        <p className="text-ink-2">Not</p>
        <div className="ml-1 border-l border-line pl-3">
          <ConditionTree condition={condition.not} pointer={`${pointer}/not`} steps={steps} />
        </div>
      </div>
    );
  }
  return (
    <div>
      <p className="break-words">
        {"segment" in condition ? (
          <InSegment of={condition.segment} />
        ) : (
          <Said text={leafInWords(condition)} />
        )}
      </p>
      <StepLine step={steps.find((step) => step.pointer === pointer)} />
    </div>
  );
}

/** A condition without others in it, but for those on an entry of a list. */
function leafInWords(condition: Condition): string {
  const words = conditionInWords(condition);
  return "element" in condition ? `There is ${words}` : words;
}

/** A segment, with a way to it: conditions know its key only. */
const InSegment = ({ of }: { of: string }) => (
  <>
    In the segment{" "}
    <Link to="/segments" search={{ q: of } as never} className="link">
      <code>{of}</code>
    </Link>
  </>
);

function Parts({ title, of, pointer, steps }: { title: string; of: Condition[]; pointer: string; steps: Step[] }) {
  return (
    <div>
      <p className="text-ink-2">{title}</p>
      <ul className="ml-1 space-y-1 border-l border-line pl-3">
        {of.map((each, place) => (
          // Conditions have no name but their place.
          // eslint-disable-next-line react/no-array-index-key
          <li key={place}>
            <ConditionTree condition={each} pointer={`${pointer}/${place}`} steps={steps} />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What a trial said of a part. */
export function StepLine({ step }: { step: Step | undefined }) {
  if (!step) return null;
  return (
    <span className={`block text-sm ${step.holds ? "text-ok" : "text-ink-2"}`}>
      <span aria-hidden="true">{step.holds ? "✓" : "✗"} </span>
      <span className="sr-only">{step.holds ? "Holds: " : "Does not hold: "}</span>
      <Said text={step.detail} />
    </span>
  );
}
