import { useEffect } from "react";

/**
 * Tells a typed text on once typing has paused. Not if the visitor has gone elsewhere by then: the next page may still
 * be loading, and a change of this page's address would call them back.
 */
export function usePause(text: string, told: string, tell: (text: string) => void) {
  useEffect(() => {
    if (text === told) return;
    const here = location.pathname;
    const timer = setTimeout(() => {
      if (location.pathname === here) tell(text);
    }, 250);
    return () => clearTimeout(timer);
  }, [text, told, tell]);
}
