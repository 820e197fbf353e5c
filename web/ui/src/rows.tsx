/** Rows that can be added and taken away, with the keyboard as well. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Button } from "./button";

/** The rows, each with a button that takes it away, and below them one that adds another. */
export function RowList(props: {
  label: string;
  count: number;
  row: (index: number) => ReactNode;
  remove: (index: number) => void;
  add?: () => void;
  /** What the button that adds says, where "Add" says too little. */
  adds?: string;
  /** Other ways to add a row. */
  others?: ReactNode;
}) {
  const { count, label } = props;
  const body = useRef<HTMLDivElement>(null);
  // Names for rows that keep to their row when others go.
  const [rows, setRows] = useState(() => ({ keys: Array.from({ length: count }, (_, index) => index), next: count, added: -1 }));
  if (rows.keys.length !== count) {
    const more = Math.max(count - rows.keys.length, 0);
    const fresh = Array.from({ length: more }, (_, index) => rows.next + index);
    setRows({ keys: [...rows.keys.slice(0, count), ...fresh], next: rows.next + more, added: fresh.at(-1) ?? -1 });
  }
  useEffect(() => {
    if (rows.added >= 0) body.current?.querySelector<HTMLElement>(`[data-row="${rows.added}"] :is(input, select, textarea)`)?.focus();
  }, [rows.added]);
  const remove = (index: number) => {
    // The button that had the focus goes; the next that makes sense is the one that adds.
    body.current?.querySelector<HTMLElement>(":scope > [data-adds] > button")?.focus();
    setRows({ ...rows, keys: rows.keys.filter((_, place) => place !== index), added: -1 });
    props.remove(index);
  };
  return (
    <div ref={body} className="space-y-2">
      {rows.keys.slice(0, count).map((key, index) => (
        <div key={key} data-row={key} className="flex flex-wrap items-start gap-2 sm:flex-nowrap">
          {props.row(index)}
          <Button small kind="plain" className="mt-0.5" aria-label={`Remove ${label} ${index + 1}`} onClick={() => remove(index)}>
            Remove
          </Button>
        </div>
      ))}
      {props.add && (
        <div data-adds="" className="flex flex-wrap gap-2">
          <Button small aria-label={props.adds ? undefined : `Add to ${label}`} onClick={props.add}>
            {props.adds ?? "Add"}
          </Button>
          {props.others}
        </div>
      )}
    </div>
  );
}
