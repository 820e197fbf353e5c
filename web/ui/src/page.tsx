import { Link, useRouterState } from "@tanstack/react-router";
import { type ReactNode, type RefObject, useEffect, useRef } from "react";
import { ProblemNote } from "./problem";

/** Names the browser's tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Gateline`;
  }, [title]);
}

/** The head of every screen. */
export function PageHeader(props: { title: string; above?: ReactNode; status?: ReactNode; text?: ReactNode; actions?: ReactNode }) {
  useTitle(props.title);
  return (
    <header className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
      <div className="min-w-0">
        {props.above && <div className="mb-0.5 text-sm text-ink-2">{props.above}</div>}
        <h1 className="flex flex-wrap items-center gap-2.5 text-2xl leading-tight">
          <span className="min-w-0 break-words">{props.title}</span>
          {props.status}
        </h1>
        {props.text && <div className="mt-1 max-w-[70ch] text-ink-2">{props.text}</div>}
      </div>
      {props.actions && <div className="flex max-w-full flex-wrap gap-2">{props.actions}</div>}
    </header>
  );
}

/** A part of a screen, under its own heading. */
export function Section(props: { title: string; text?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="mt-8 first:mt-0">
      <div className="mb-2.5 flex flex-wrap items-end justify-between gap-2">
        <div>
          <h2 className="text-lg">{props.title}</h2>
          {props.text && <p className="max-w-[70ch] text-sm text-ink-2">{props.text}</p>}
        </div>
        {props.actions && <div className="flex gap-2">{props.actions}</div>}
      </div>
      {props.children}
    </section>
  );
}

/** A bordered area. */
export function Panel(props: { children: ReactNode; className?: string }) {
  return <div className={`rounded-lg border border-line bg-surface ${props.className ?? "p-4"}`}>{props.children}</div>;
}

/** Shows the link to the current place in a row that is scrolled sideways; the page itself stays where it is. */
export function useCurrentShown(): RefObject<HTMLElement | null> {
  const row = useRef<HTMLElement>(null);
  const place = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  useEffect(() => {
    const current = row.current?.querySelector<HTMLElement>("[aria-current=page]");
    if (place === undefined || !row.current || !current) return;
    const [outer, inner] = [row.current.getBoundingClientRect(), current.getBoundingClientRect()];
    row.current.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
  }, [place]);
  return row;
}

/** Screens below one head; each has its own address. */
export function Tabs(props: { label: string; base: string; tabs: [path: string, title: string][] }) {
  const row = useCurrentShown();
  return (
    <nav ref={row} aria-label={props.label} className="mb-6 flex gap-5 overflow-x-auto border-b border-line">
      {props.tabs.map(([path, title]) => (
        <Link
          key={path}
          to={path ? `${props.base}/${path}` : props.base}
          activeOptions={{ exact: true, includeSearch: false }}
          className="-mb-px border-b-2 border-transparent pb-2 whitespace-nowrap text-ink-2 hover:text-ink aria-[current=page]:border-accent aria-[current=page]:text-ink"
        >
          {title}
        </Link>
      ))}
    </nav>
  );
}

/** What a place without entries says: what belongs here, and the next step. */
export function Empty(props: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="rounded-lg border border-dashed border-line-strong px-6 py-10">
      <div className="mx-auto max-w-xl space-y-3">
        <h2 className="text-lg">{props.title}</h2>
        {props.children && <div className="space-y-3 text-ink-2">{props.children}</div>}
        {props.action && <div className="pt-1">{props.action}</div>}
      </div>
    </div>
  );
}

/** Grey lines in the place of what is on its way; shown only after a moment, so that quick answers do not flicker. */
export function Loading(props: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="animate-[appear_0s_150ms_both] space-y-2 py-1">
      {Array.from({ length: props.rows ?? 3 }, (_, row) => (
        // eslint-disable-next-line react/no-array-index-key
        <div key={row} className="h-8 animate-pulse rounded-md bg-sunken" />
      ))}
    </div>
  );
}

/** What TanStack Query knows, as far as [`Loaded`] needs it. */
interface QueryState<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

/** Shows a query's answer, or that it is on its way, or why it failed. What was loaded stays while it is refreshed. */
export function Loaded<T>(props: { query: QueryState<T>; rows?: number; children: (data: T) => ReactNode }) {
  const { data, error, refetch } = props.query;
  if (data !== undefined) return props.children(data);
  if (error) return <ProblemNote error={error} retry={() => void refetch()} />;
  return <Loading rows={props.rows} />;
}
