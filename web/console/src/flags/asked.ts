/** Whom flags are asked about, from one screen to the next. */
import { useRouterState } from "@tanstack/react-router";
import type { AttributeRow } from "./attributes";

/** Somebody, as they were typed, and where and when flags are asked. */
export interface Asked {
  environment: string;
  rows: AttributeRow[];
  /** A moment as a form has it; now if empty. */
  at: string;
}

/** Where it stands in the state of an entry of the browser's history: an address is seen by others, and this may be personal. */
const PLACE = "asked";

/** What is to be handed on with a step through the history. */
export const asState = (asked: Asked) => ({ [PLACE]: asked }) as never;

/** What was handed on to the place of now. */
export const useAsked = (): Asked | undefined => useRouterState({ select: ({ location }) => (location.state as { [PLACE]?: Asked })[PLACE] });
