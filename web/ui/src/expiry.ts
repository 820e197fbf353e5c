/** When something ends, as a form asks for it. */

/** What a form holds: a choice of [`expiries`], and the moment that was chosen by hand, in the reader's time zone. */
export interface Expiry {
  ends: string;
  at: string;
}

const AT = "at";
const NEVER = "never";
const DAY_MS = 86_400_000;

/** The choices; a number is one of days from now. */
export const expiries: [value: string, title: string][] = [
  [NEVER, "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  [AT, "At a moment"],
];

/** Whether the moment is chosen by hand. */
export const byHand = (expiry: Expiry): boolean => expiry.ends === AT;

/** The choice that stands for a moment, or for none. */
export function expiryOf(iso: string | null | undefined): Expiry {
  if (!iso) return { ends: NEVER, at: "" };
  const moment = new Date(iso);
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return { ends: AT, at: local.toISOString().slice(0, 16) };
}

/** The moment as the API wants it; what was typed by hand and is none stays as it is, so that the API says so. */
export function momentOf(expiry: Expiry, now = Date.now()): string | undefined {
  if (expiry.ends === NEVER) return undefined;
  if (!byHand(expiry)) return new Date(now + Number(expiry.ends) * DAY_MS).toISOString();
  const moment = new Date(expiry.at);
  return Number.isNaN(moment.getTime()) ? expiry.at : moment.toISOString();
}
