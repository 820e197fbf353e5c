/**
 * The number that was typed, or the text as it stands when it is none: then the API says at the field what it wants
 * instead. Spaces, commas and underscores may part the digits; `undefined` if nothing was typed.
 */
export function figure(text: string): number | undefined {
  const digits = text.replaceAll(/[ ,_]/g, "");
  if (digits === "") return undefined;
  const number = Number(digits);
  return Number.isFinite(number) ? number : (text as unknown as number);
}
