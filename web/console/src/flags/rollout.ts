/** Shares that grow by a schedule: what they are at a moment, and what they begin with. */
import { type Outcome, type Rollout, type Targeting, UNIT, type Units, thousandths } from "./model";

const DAY_MS = 86_400_000;

/** How many steps are behind a moment. */
export const passedOf = ({ steps }: Rollout, now = Date.now()): number => steps.filter((step) => Date.parse(step.at) <= now).length;

/** The share of a roll-out at a moment, in percent. */
export function shareAt(rollout: Rollout, now = Date.now()): number {
  const { start = 0, steps, smooth } = rollout;
  const passed = passedOf(rollout, now);
  const [last, next] = [steps[passed - 1], steps[passed]];
  if (!last) return start;
  if (!smooth || !next) return last.percent;
  const part = (now - Date.parse(last.at)) / (Date.parse(next.at) - Date.parse(last.at));
  return last.percent + Math.trunc((next.percent - last.percent) * part * 1000) / 1000;
}

/** Whether a step is still to come. */
export const isGrowing = ({ steps }: Rollout, now = Date.now()): boolean => steps.some((step) => Date.parse(step.at) > now);

/** The next step of a schedule that somebody makes: a day after the last one, twice as large, but not more than all. */
export function following({ steps }: Pick<Rollout, "steps">, now = Date.now()): Rollout["steps"][number] {
  const last = steps.at(-1);
  const from = last ? Date.parse(last.at) : new Date(now).setUTCMinutes(0, 0, 0);
  const at = new Date((Number.isNaN(from) ? now : from) + DAY_MS).toISOString();
  return { at, percent: last && last.percent > 0 ? Math.min(last.percent * 2, 100) : 10 };
}

/** Who has an outcome's part now, as far as two variants can say it. */
function sharesOf({ serve, split, rollout }: Outcome, off: string): [variant: string | undefined, percent: number] {
  if (rollout) return [rollout.serve, shareAt(rollout)];
  if (serve !== undefined) return serve === off ? [undefined, 0] : [serve, 100];
  const [variant, percent] = Object.entries(split ?? {}).find(([name, share]) => name !== off && share > 0) ?? [];
  return [variant, percent ?? 0];
}

/** What says which unit it is, as it stands beside a split. */
export const unitsOf = ({ by, or_by }: Units): Units => ({ by: by ?? UNIT, ...(or_by?.length && { or_by }) });

/** A roll-out in place of what somebody gets now; until its first step they go on to get it. */
export function rolledOut(outcome: Outcome, { off, names }: Pick<Targeting, "off"> & { names: string[] }): Outcome {
  const [variant, percent] = sharesOf(outcome, off);
  const serve = variant ?? names.find((name) => name !== off) ?? off;
  const rollout = { serve, others: off, ...(percent > 0 && { start: percent }), steps: [following({ steps: [] })] };
  return { rollout, ...unitsOf(outcome) };
}

/** A split in place of what somebody gets now, which moves nobody who has a part of two. */
export function splitUp(outcome: Outcome, off: string): Outcome {
  const { rollout, serve } = outcome;
  if (!rollout) return { split: { [serve ?? off]: 100 }, ...unitsOf(outcome) };
  const share = thousandths(shareAt(rollout));
  return { split: { [rollout.serve]: share, [rollout.others]: thousandths(100 - share) }, ...unitsOf(outcome) };
}
