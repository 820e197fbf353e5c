/**
 * The list template: search and filters that live in the address, one page at a time by cursor, and an empty state
 * that teaches the next step. See web/README.md for how a screen uses it.
 */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Button } from "./button";
import { Empty, Loaded, PageHeader } from "./page";
import { usePause } from "./pause";

/** One column of a table. */
export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  /** Numbers stand right. */
  numeric?: boolean;
  /** Hidden on narrow screens. */
  minor?: boolean;
  /** Holds words of any length: gets enough room for them, and the table is scrolled sideways instead. */
  wide?: boolean;
}

/** A choice that narrows the list; its value stands in the address under `name`. */
export interface Filter {
  name: string;
  title: string;
  options: [value: string, title: string][];
  /** What the choice of none means; all of them unless something else is said. */
  none?: string;
}

/** One page as the API answers it. */
interface Page<Row> {
  data: Row[];
  has_more: boolean;
  next_cursor?: string | null;
}

/** The address' query: `q`, `cursor` and one entry per filter in use. */
export type ListSearch = Record<string, string | undefined>;

interface ListProps<Row> {
  /** The call that answers one page, made of the address' query. */
  load: (search: ListSearch) => { queryKey: readonly unknown[]; queryFn: (context: { signal: AbortSignal }) => Promise<Page<Row>> };
  columns: Column<Row>[];
  /** Where a row leads; its first cell becomes the link. */
  to?: (row: Row) => string;
  filters?: Filter[];
  /** Orders that the call knows as `sort`; the first is the one of an address without any. */
  orders?: [value: string, title: string][];
  /** Whether the call knows `q`. */
  searchable?: boolean;
  /** Shown when there is nothing at all. */
  empty: { title: string; text: ReactNode; action?: ReactNode };
  /** Names the table for those who do not see it. */
  label: string;
  /** What its entries in the address begin with, when a screen has several lists. */
  under?: string;
  /** What makes another entry, for lists without a head of their own; stands beside the search. */
  add?: ReactNode;
}

/** A list below a head of its own. */
export function ListPage<Row extends { id: string }>(
  props: ListProps<Row> & {
    title: string;
    text?: ReactNode;
    actions?: ReactNode;
    /** What is to be known beside the rows; stands above them. */
    note?: ReactNode;
  },
) {
  return (
    <>
      <PageHeader title={props.title} text={props.text} actions={props.actions} />
      {props.note}
      <List {...props} />
    </>
  );
}

/** A list as a part of another screen. */
export function List<Row extends { id: string }>(props: ListProps<Row>) {
  const address = useSearch({ strict: false }) as ListSearch;
  const navigate = useNavigate();
  const search = props.under ? unprefixed(address, props.under) : address;
  const query = useQuery({ ...props.load(search), placeholderData: keepPreviousData });
  const nothing: ListSearch = Object.fromEntries(["q", ...(props.filters ?? []).map((filter) => filter.name)].map((name) => [name, undefined]));
  const filtered = Object.keys(nothing).some((name) => search[name]);
  const set = (change: ListSearch) => {
    const next = Object.entries({ cursor: undefined, ...change }).map(([name, value]) => [props.under ? `${props.under}_${name}` : name, value]);
    void navigate({ to: ".", search: { ...address, ...Object.fromEntries(next) } as never, state: true, replace: !("cursor" in change) });
  };

  return (
    <Loaded query={query} rows={8}>
      {(page) => {
        if (page.data.length === 0 && !filtered && !search["cursor"]) {
          return (
            <Empty title={props.empty.title} action={props.empty.action}>
              {props.empty.text}
            </Empty>
          );
        }
        return (
          <>
            <Narrowing {...props} search={search} set={set} />
            {page.data.length === 0 ? (
              <Empty title="Nothing matches" action={<Button onClick={() => set(nothing)}>Show all</Button>}>
                Search for less, or take a filter away.
              </Empty>
            ) : (
              <div aria-busy={query.isPlaceholderData}>
                <Table {...props} rows={page.data} stale={query.isPlaceholderData} />
              </div>
            )}
            <Pager first={!search["cursor"]} next={page.has_more ? page.next_cursor : undefined} go={(cursor) => set({ cursor })} />
          </>
        );
      }}
    </Loaded>
  );
}

/** The entries of one list in the address of several. */
const unprefixed = (search: ListSearch, under: string): ListSearch =>
  Object.fromEntries(
    Object.entries(search)
      .filter(([name]) => name.startsWith(`${under}_`))
      .map(([name, value]) => [name.slice(under.length + 1), value]),
  );

/** Search and filters above the rows, and what makes another one. */
function Narrowing<Row>(props: ListProps<Row> & { search: ListSearch; set: (change: ListSearch) => void }) {
  const { search, set } = props;
  const { orders } = props;
  const narrows = props.searchable || props.filters || orders;
  if (!narrows && !props.add) return null;
  return (
    <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
      {narrows && (
        <search className="flex flex-1 flex-wrap items-center gap-2">
          {props.searchable && <SearchField value={search["q"] ?? ""} label={props.label} set={(q) => set({ q: q || undefined })} />}
          {props.filters?.map((filter) => (
            <select
              key={filter.name}
              aria-label={filter.title}
              className="input w-auto"
              value={search[filter.name] ?? ""}
              onChange={(event) => set({ [filter.name]: event.target.value || undefined })}
            >
              <option value="">{filter.none ?? `${filter.title}: all`}</option>
              {filter.options.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          ))}
          {orders && (
            <select
              aria-label="Order"
              className="input w-auto"
              value={search["sort"] ?? orders[0]?.[0]}
              onChange={(event) => set({ sort: event.target.value === orders[0]?.[0] ? undefined : event.target.value })}
            >
              {orders.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          )}
        </search>
      )}
      {props.add && <div className="ml-auto">{props.add}</div>}
    </div>
  );
}

/** Rows in columns, without search or paging. */
export function Table<Row>(props: {
  rows: Row[];
  columns: Column<Row>[];
  label: string;
  to?: (row: Row) => string;
  /** What tells rows apart; their `id` if absent. */
  rowKey?: (row: Row) => string;
  /** Being replaced: shown paler. */
  stale?: boolean;
}) {
  const look = (column: Column<Row>) =>
    `${column.numeric ? "text-right tnum whitespace-nowrap" : "text-left"} ${column.minor ? "max-md:hidden" : ""} ${column.wide ? "min-w-44" : ""} px-3 first:pl-4 last:pr-4`;
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface" tabIndex={0} role="region" aria-label={props.label}>
      <table className={`w-full border-collapse ${props.stale ? "opacity-60" : ""}`}>
        <thead>
          <tr className="border-b border-line">
            {props.columns.map((column) => (
              <th key={column.title} scope="col" className={`${look(column)} py-2 text-sm font-medium whitespace-nowrap text-ink-2`}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row, index) => (
            <tr key={props.rowKey?.(row) ?? (row as { id?: string }).id ?? index} className="border-b border-line last:border-0 hover:bg-hover/60">
              {props.columns.map((column, place) => (
                <td key={column.title} className={`${look(column)} h-10 py-1.5`}>
                  {place === 0 && props.to ? (
                    <Link to={props.to(row)} className="font-medium hover:text-accent hover:underline">
                      {column.cell(row)}
                    </Link>
                  ) : (
                    column.cell(row)
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SearchField(props: { value: string; label: string; set: (value: string) => void }) {
  const { set, value } = props;
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  const [told, setTold] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  // A text in the address that was not typed here comes from elsewhere: "Show all", the way back.
  if (value !== known) {
    setKnown(value);
    if (value !== told) setText(value);
  }
  usePause(text, value, (typed) => {
    setTold(typed);
    set(typed);
  });
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.target !== document.body) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <input
      ref={field}
      type="search"
      className="input max-w-80"
      placeholder="Search  ( / )"
      aria-label={`Search ${props.label.toLowerCase()}`}
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

function Pager(props: { first: boolean; next: string | null | undefined; go: (cursor: string | undefined) => void }) {
  if (props.first && !props.next) return null;
  return (
    <nav aria-label="Pages" className="mt-3 flex justify-end gap-2">
      <Button disabled={props.first} onClick={() => props.go(undefined)}>
        First page
      </Button>
      <Button disabled={!props.next} onClick={() => props.go(props.next ?? undefined)}>
        Next page
      </Button>
    </nav>
  );
}
