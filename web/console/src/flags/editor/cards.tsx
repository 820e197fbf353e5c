/** Cards in an order that matters: they can be moved, copied and taken away, with the keyboard as well. */
import { Button, useSomeWrong } from "@gateline/ui";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";

/** How many cards are open at first. */
const OPEN_MAX = 3;

interface Keys {
  /** Names for cards that keep to their card when it moves. */
  keys: number[];
  next: number;
  /** What has the focus once the change is shown: a card, and what in it. */
  focus?: { key: number; on: string };
}

interface Props<T> {
  /** What one of them is called: `rule`. */
  noun: string;
  items: T[];
  set: (items: T[]) => void;
  fresh: () => T;
  /** Where they stand in the request's body. */
  pointer: string;
  title: (item: T, index: number) => ReactNode;
  /** What a closed card says. */
  summary: (item: T) => ReactNode;
  body: (item: T, index: number, change: (item: T) => void) => ReactNode;
}

/** The cards, and below them the button that adds one. */
export function Cards<T>(props: Props<T>) {
  const { noun, items, set } = props;
  const place = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<Keys>(() => ({ keys: Array.from(items.keys()), next: items.length }));
  const { keys, next, focus } = state;
  if (keys.length !== items.length) {
    // They were changed from elsewhere, as in the JSON.
    const fresh = Array.from({ length: Math.max(items.length - keys.length, 0) }, (_, index) => next + index);
    setState({ keys: [...keys.slice(0, items.length), ...fresh], next: next + fresh.length });
  }
  useEffect(() => {
    if (!focus) return;
    const card = place.current?.querySelector(`[data-card="${focus.key}"]`);
    const wanted = card?.querySelector<HTMLElement>(focus.on);
    (wanted?.matches(":disabled") ? card?.querySelector<HTMLElement>("[data-on]:not(:disabled)") : wanted)?.focus();
  }, [focus]);

  const insert = (index: number, item: T, on: string) => {
    set(items.toSpliced(index, 0, item));
    setState({ keys: keys.toSpliced(index, 0, next), next: next + 1, focus: { key: next, on } });
  };
  const move = (index: number, by: number, on: string) => {
    const swap = <V,>(all: V[]): V[] => {
      const moved = all.slice(index, index + 1);
      return all.toSpliced(index, 1).toSpliced(index + by, 0, ...moved);
    };
    set(swap(items));
    setState({ keys: swap(keys), next, focus: { key: keys[index] ?? 0, on } });
  };
  const remove = (index: number) => {
    // The button that had the focus goes; the next that makes sense is the one that adds.
    place.current?.querySelector<HTMLElement>(":scope > [data-adds]")?.focus();
    set(items.toSpliced(index, 1));
    setState({ keys: keys.toSpliced(index, 1), next });
  };
  return (
    <div ref={place} className="space-y-3">
      {items.map((item, index) => (
        <Card
          key={keys[index] ?? index}
          name={keys[index] ?? index}
          open={items.length <= OPEN_MAX || keys[index] === focus?.key}
          pointer={`${props.pointer}/${index}`}
          label={`${noun} ${index + 1}`}
          title={props.title(item, index)}
          summary={props.summary(item)}
          actions={[
            { sign: "↑", label: "Move up", disabled: index === 0, act: () => move(index, -1, '[data-on="Move up"]') },
            { sign: "↓", label: "Move down", disabled: index === items.length - 1, act: () => move(index, 1, '[data-on="Move down"]') },
            { sign: "Duplicate", label: "Duplicate", act: () => insert(index + 1, structuredClone(item), '[data-on="Duplicate"]') },
            { sign: "Remove", label: "Remove", act: () => remove(index) },
          ]}
        >
          {props.body(item, index, (changed) => set(items.with(index, changed)))}
        </Card>
      ))}
      <Button data-adds="" onClick={() => insert(items.length, props.fresh(), "input")}>
        Add a {noun}
      </Button>
    </div>
  );
}

interface CardProps {
  name: number;
  open: boolean;
  pointer: string;
  label: string;
  title: ReactNode;
  summary: ReactNode;
  actions: { sign: string; label: string; disabled?: boolean; act: () => void }[];
  children: ReactNode;
}

/** One card. It opens by itself when something in it is wrong. */
function Card(props: CardProps) {
  const [chosen, setChosen] = useState(props.open);
  const wrong = useSomeWrong(props.pointer);
  const open = chosen || wrong;
  const id = useId();
  return (
    <div role="group" aria-label={props.label} data-card={props.name} className={`rounded-lg border bg-surface ${wrong ? "border-bad" : "border-line-strong"}`}>
      <div className={`flex flex-wrap items-center gap-x-2 gap-y-1 rounded-t-lg bg-sunken py-1.5 pr-2 pl-3 ${open ? "border-b border-line" : "rounded-b-lg"}`}>
        <button type="button" aria-expanded={open} aria-controls={id} onClick={() => setChosen(!open)} className="flex min-w-0 flex-1 basis-32 items-center gap-2 text-left">
          <span aria-hidden="true" className={`text-xs text-ink-2 transition-transform ${open ? "rotate-90" : ""}`}>
            ▶
          </span>
          <span className="min-w-0 truncate font-medium">{props.title}</span>
        </button>
        <span className="flex">
          {props.actions.map(({ sign, label, disabled, act }) => (
            <Button key={label} small kind="plain" data-on={label} disabled={disabled} aria-label={`${label} ${props.label}`} title={label} onClick={act}>
              {sign}
            </Button>
          ))}
        </span>
      </div>
      {!open && <div className="px-3 py-2 text-ink-2">{props.summary}</div>}
      {/* Hidden, not absent: what is wrong in it is known to be shown there. */}
      <div id={id} hidden={!open} className="space-y-5 p-4">
        {props.children}
      </div>
    </div>
  );
}
