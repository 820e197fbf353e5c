import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useState } from "react";
import { Dialog } from "./dialog";

/** Something to go to. */
export interface Hit {
  kind: string;
  title: string;
  note?: string;
  to: string;
}

/** ⌘K: finds things by a few letters; arrows choose, Enter goes. `find` is asked as you type. */
export function Palette(props: { find: (text: string) => Promise<Hit[]>; screens: Hit[]; placeholder: string }) {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      setOpen((now) => !now);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        className="flex min-h-8 w-full items-center justify-between gap-2 rounded-md border border-line bg-surface px-2.5 text-ink-2 hover:border-line-strong"
      >
        Search <kbd className="text-xs">Ctrl K</kbd>
      </button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Search" bare>
        <Finder {...props} close={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function Finder(props: { find: (text: string) => Promise<Hit[]>; screens: Hit[]; placeholder: string; close: () => void }) {
  const [text, setText] = useState("");
  const [asked, setAsked] = useState("");
  const [at, setAt] = useState(0);
  const navigate = useNavigate();
  const id = useId();
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), 120);
    return () => clearTimeout(timer);
  }, [text]);
  const query = useQuery({ queryKey: ["find", asked], queryFn: () => props.find(asked), placeholderData: (old) => old });
  const wanted = text.trim().toLowerCase();
  const hits = [...(query.data ?? []), ...props.screens.filter((screen) => screen.title.toLowerCase().includes(wanted))].slice(0, 12);
  const current = Math.min(at, hits.length - 1);
  const go = (hit: Hit | undefined) => {
    if (!hit) return;
    props.close();
    void navigate({ to: hit.to });
  };
  return (
    <>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={hits.length > 0 ? `${id}-${current}` : undefined}
        aria-label="Search"
        autoComplete="off"
        placeholder={props.placeholder}
        className="w-full border-b border-line bg-transparent px-4 py-3 text-lg outline-none placeholder:text-ink-2"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(current + 1, hits.length - 1));
          else if (event.key === "ArrowUp") setAt(Math.max(current - 1, 0));
          else if (event.key === "Enter") go(hits[current]);
          else return;
          event.preventDefault();
        }}
      />
      <div id={id} role="listbox" aria-label="Found" className="max-h-[50vh] overflow-auto p-1.5">
        {hits.map((hit, index) => (
          // The input handles the keys; options are pointed at through aria-activedescendant.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
          <div
            key={hit.kind + hit.to}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === current}
            className="flex cursor-pointer items-baseline gap-3 rounded-md px-3 py-1.5 aria-selected:bg-accent-soft"
            onPointerMove={() => setAt(index)}
            onClick={() => go(hit)}
          >
            <span className="w-24 shrink-0 text-sm text-ink-2">{hit.kind}</span>
            <span className="truncate">{hit.title}</span>
            {hit.note && <code className="ml-auto truncate text-ink-2">{hit.note}</code>}
          </div>
        ))}
        {hits.length === 0 && !query.isFetching && <p className="px-3 py-2 text-ink-2">Nothing is called that.</p>}
      </div>
    </>
  );
}
