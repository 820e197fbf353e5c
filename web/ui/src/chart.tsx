import { type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from "react";
import { count, moment, short } from "./format";
import type { Bar } from "./usage";

export const HEIGHT = 190;
/** Room for the figures of the scale, above the bars, and for the times below. */
export const [LEFT, ABOVE, BELOW] = [48, 8, 26];
/** The least room for a time below the bars. */
export const LABEL = 64;

const parts: { of: keyof Omit<Bar, "at">; title: string; fill: string }[] = [
  { of: "answered", title: "Answered", fill: "var(--accent)" },
  { of: "refused", title: "Refused", fill: "url(#refused)" },
  { of: "failed", title: "Failed", fill: "var(--bad)" },
];

/** The next round number at or above, so that the scale reads well. */
export function ceiling(value: number): number {
  if (value <= 4) return 4;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * magnitude >= value) ?? 10;
  return step * magnitude;
}

/** What stands below one of so many spans of time: its hour, or its day. */
export function tick(at: number, per: string, many: number): string {
  return per === "day" || (per === "hour" && many > 48)
    ? new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short" })
    : new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** The numbers of a chart, as a table that can be opened. */
export function Numbers(props: { per: string; titles: string[]; rows: [at: number, values: string[]][] }) {
  return (
    <details className="text-sm">
      <summary className="w-fit text-ink-2 hover:text-ink">Numbers</summary>
      <table className="mt-2">
        <thead>
          <tr className="text-left text-ink-2">
            {[props.per.charAt(0).toUpperCase() + props.per.slice(1), ...props.titles].map((title) => (
              <th key={title} className="pr-6 font-medium">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map(([at, values]) => (
            <tr key={at}>
              <td className="pr-6">{moment(new Date(at).toISOString())}</td>
              {values.map((value, index) => (
                <td key={props.titles[index]} className="tnum pr-6 text-right">
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

const sum = (bar: Bar): number => bar.answered + bar.refused + bar.failed;

/** Calls as stacked bars, each of an hour unless `per` says otherwise, with the numbers as a table for those who would rather read. */
export function CallsChart(props: { bars: Bar[]; title: string; text: ReactNode; per?: string }) {
  const [pointed, setPointed] = useState<number>();
  const { bars, per = "hour" } = props;
  const top = Math.max(...bars.map(sum), 0);
  const bar = pointed === undefined ? undefined : bars[pointed];

  return (
    <figure>
      <figcaption className="mb-3 flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
        <div>
          <h2 className="text-lg">
            {props.title} <span className="text-sm font-normal text-ink-2">calls per {per}</span>
          </h2>
          <p className="max-w-[75ch] text-sm text-ink-2">{props.text}</p>
        </div>
        <ul className="flex gap-4 text-sm text-ink-2" aria-label="Legend">
          {parts.map((part) => (
            <li key={part.of} className="flex items-center gap-1.5">
              <svg width="10" height="10" aria-hidden="true">
                <rect width="10" height="10" rx="2" fill={part.fill} />
              </svg>
              {part.title}
              {bar && <b className="tnum font-medium text-ink">{count(bar[part.of])}</b>}
            </li>
          ))}
        </ul>
      </figcaption>
      <Drawing {...props} per={per} top={top} pointed={pointed} point={setPointed} />
      <p className="min-h-5 text-sm text-ink-2">{bar && `${moment(new Date(bar.at).toISOString())}: ${count(sum(bar))} calls`}</p>
      <Numbers
        per={per}
        titles={parts.map((part) => part.title)}
        rows={bars.filter((each) => sum(each) > 0).map((each) => [each.at, parts.map((part) => count(each[part.of]))])}
      />
    </figure>
  );
}

/** The width that an element has got, in CSS pixels. */
export function useWidth(): [RefObject<SVGSVGElement | null>, number] {
  const place = useRef<SVGSVGElement>(null);
  const [width, setWidth] = useState(720);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    setWidth(element.clientWidth);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [place, width];
}

/** The bars, drawn as wide as there is room, so that lines and letters have the same size everywhere. */
function Drawing(props: { bars: Bar[]; title: string; per: string; top: number; pointed: number | undefined; point: (index?: number) => void }) {
  const { bars, point, pointed } = props;
  const [place, room] = useWidth();
  const width = Math.max(room - LEFT, 0);
  const top = ceiling(props.top);
  const slot = width / bars.length;
  const every = Math.max(Math.ceil(LABEL / Math.max(slot, 1)), 1);
  const scale = (value: number) => (value / top) * HEIGHT;
  const all = bars.reduce((total, bar) => total + sum(bar), 0);
  return (
    <svg
      ref={place}
      role="img"
      aria-label={`${props.title}: ${count(all)} calls in ${bars.length} ${props.per}s, at most ${count(props.top)} in one.`}
      height={ABOVE + HEIGHT + BELOW}
      className="block w-full overflow-visible"
      onPointerLeave={() => point(undefined)}
    >
      <defs>
        <pattern id="refused" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="4" height="4" fill="var(--line)" />
          <rect width="1.6" height="4" fill="var(--ink-2)" />
        </pattern>
      </defs>
      <g transform={`translate(${LEFT} ${ABOVE})`}>
        {[0, 0.5, 1].map((part) => (
          <g key={part} className="tnum" fontSize="12">
            <line x1="0" x2={width} y1={HEIGHT * (1 - part)} y2={HEIGHT * (1 - part)} stroke="var(--line)" strokeWidth="1" />
            <text x="-8" y={HEIGHT * (1 - part) + 4} textAnchor="end" fill="var(--ink-2)">
              {short(top * part)}
            </text>
          </g>
        ))}
        {bars.map((each, index) => {
          let below = 0;
          return (
            <g key={each.at} onPointerEnter={() => point(index)}>
              <rect x={index * slot} y="0" width={slot} height={HEIGHT} fill={pointed === index ? "var(--hover)" : "transparent"} opacity="0.6" />
              {parts.map((part) => {
                const height = each[part.of] > 0 ? Math.max(scale(each[part.of]), 1) : 0;
                below += height;
                return height === 0 ? null : (
                  <rect
                    key={part.of}
                    x={index * slot + slot * 0.18}
                    y={HEIGHT - below}
                    width={slot * 0.64}
                    height={height}
                    rx={Math.min(1.5, height / 2)}
                    fill={part.fill}
                  />
                );
              })}
            </g>
          );
        })}
        {bars.map((each, index) =>
          index % every === 0 ? (
            <text key={each.at} x={index * slot + slot / 2} y={HEIGHT + 19} fontSize="12" textAnchor="middle" fill="var(--ink-2)" className="tnum">
              {tick(each.at, props.per, bars.length)}
            </text>
          ) : null,
        )}
      </g>
    </svg>
  );
}

/** A few numbers that sum a period up. */
export function Figures(props: { of: [title: string, value: string, note?: string][] }) {
  return (
    <dl className="grid grid-cols-2 overflow-hidden rounded-lg border border-line bg-surface md:grid-cols-4">
      {props.of.map(([title, value, note]) => (
        <div key={title} className="-mr-px -mb-px border-r border-b border-line px-4 py-3">
          <dt className="text-sm text-ink-2">{title}</dt>
          <dd className="text-2xl leading-tight font-semibold tracking-tight">{value}</dd>
          {note && <dd className="text-sm text-ink-2">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
