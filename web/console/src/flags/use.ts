/** How much a flag is used: its evaluations by day, and why nobody may need it any more. */
import type { Schemas } from "@gateline/api-client";
import type { Line } from "@gateline/ui";

type Counts = Schemas["FlagEvaluations"];
type Staleness = Schemas["FlagStaleness"];

const DAY_MS = 86_400_000;

/** Why nobody may need it any more: in a word for a badge, and in a sentence. */
export const staleness: Record<Staleness, [word: string, sentence: string]> = {
  expired: ["expired", "It was to be gone from the programs by now."],
  never_evaluated: ["not asked for", "Nobody has asked for it anywhere in the last 30 days."],
  one_variant: ["one variant", "Everybody has got the same variant everywhere in the last 30 days."],
};

/** The environments in which it was asked for. */
export const environmentsIn = (counts: Counts["counts"]): string[] => [...new Set(counts.map((each) => each.environment))];

/** Colours and dashes that tell variants apart; with more of them, they come again. */
const strokes = [
  { stroke: "var(--accent)" },
  { stroke: "var(--ink-2)", dashes: "6 3" },
  { stroke: "var(--warn)", dashes: "2 3" },
  { stroke: "var(--ok)", dashes: "8 3 2 3" },
];

/** A line for each variant that was given in the environment, over all days, those without any included. */
export function linesOf({ from, to, counts }: Counts, environment: string): { at: number[]; lines: Line[]; sum: number } {
  const first = Math.floor(Date.parse(from) / DAY_MS) * DAY_MS;
  const at: number[] = [];
  for (let day = first; day < Date.parse(to); day += DAY_MS) at.push(day);
  const here = counts.filter((each) => each.environment === environment);
  const variants = [...new Set(here.map((each) => each.variant))].toSorted();
  const values = (variant: string) => at.map((day) => here.reduce((sum, each) => (each.variant === variant && Date.parse(each.day) === day ? sum + each.count : sum), 0));
  return {
    at,
    lines: variants.map((variant, place) => ({ title: variant, ...(strokes[place % strokes.length] ?? { stroke: "var(--accent)" }), values: values(variant) })),
    sum: here.reduce((sum, each) => sum + each.count, 0),
  };
}
