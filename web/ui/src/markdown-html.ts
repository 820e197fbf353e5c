import { micromark } from "micromark";

/** CommonMark as HTML. Safe to show: micromark escapes HTML and drops addresses that are not http, https or mailto. */
export const html = (text: string): string => micromark(text);
