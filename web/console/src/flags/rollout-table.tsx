/** What a schedule makes of a share, step by step, and what some keep of an earlier split. */
import { Badge, Said, moment } from "@gateline/ui";
import type { Kept, Rollout } from "./model";
import { passedOf, shareAt } from "./rollout";
import { percent, splitInWords } from "./words";

/** The steps of a roll-out, the one that holds now marked. */
export function RolloutTable({ rollout }: { rollout: Rollout }) {
  const passed = passedOf(rollout);
  const rows = [{ from: "At first", share: rollout.start ?? 0 }, ...rollout.steps.map((step) => ({ from: timeOf(step.at), share: step.percent }))];
  return (
    <table className="mt-2 w-auto text-sm" aria-label={`Share of ${rollout.serve}`}>
      <thead className="sr-only">
        <tr>
          <th scope="col">{rollout.smooth ? "Reached at" : "From"}</th>
          <th scope="col">Share of {rollout.serve}</th>
          <th scope="col">Now</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ from, share }, place) => (
          // Steps have no name but their place.
          // eslint-disable-next-line react/no-array-index-key
          <tr key={place} className={place < passed ? "text-ink-2" : ""}>
            <td className="py-0.5 pr-4 text-left">{from}</td>
            <td className="tnum py-0.5 pr-4 text-right">{percent(share)}</td>
            <td className="py-0.5">{place === passed && <Badge tone="accent">{`Now ${percent(shareAt(rollout))}`}</Badge>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A moment as people read it; what is none stands as it is. */
const timeOf = (text: string): string => (Number.isNaN(Date.parse(text)) ? text : moment(text));

/** Earlier splits, and where those stand who keep them. */
export function KeptList({ kept, gate }: { kept: Kept[]; gate: string }) {
  return (
    <ul className="list-disc space-y-0.5 pl-5 text-sm" aria-label="Earlier splits that are kept">
      {kept.map(({ parts, split }) => (
        <li key={JSON.stringify(parts)}>
          <Said text={`${parts.map(([from, to]) => `${percent(from)} to ${percent(to)}`).join(", ")} of \`${gate}\` keep ${splitInWords(split)}`} />
        </li>
      ))}
    </ul>
  );
}
