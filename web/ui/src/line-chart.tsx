import { type ReactNode, useState } from "react";
import { ABOVE, BELOW, HEIGHT, LABEL, LEFT, Numbers, ceiling, tick, useWidth } from "./chart";
import { moment } from "./format";

/** One line: a value for each moment, or none. */
export interface Line {
  title: string;
  /** A colour, as `var(--accent)`. */
  stroke: string;
  /** Dashes, so that lines differ without colour. */
  dashes?: string;
  values: (number | null)[];
}

/** Values over time as lines, with the numbers as a table for those who would rather read. */
export function LineChart(props: { title: string; unit: string; text: ReactNode; at: number[]; per: string; lines: Line[]; write: (value: number) => string }) {
  const { at, lines, write } = props;
  const [pointed, setPointed] = useState<number>();
  const [place, room] = useWidth();
  const width = Math.max(room - LEFT, 0);
  const greatest = Math.max(0, ...lines.flatMap((line) => line.values.map((value) => value ?? 0)));
  const top = ceiling(greatest);
  const slot = width / Math.max(at.length, 1);
  const every = Math.max(Math.ceil(LABEL / Math.max(slot, 1)), 1);
  const x = (index: number) => index * slot + slot / 2;
  const y = (value: number) => HEIGHT * (1 - value / top);
  return (
    <figure>
      <figcaption className="mb-3 flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
        <div>
          <h2 className="text-lg">
            {props.title} <span className="text-sm font-normal text-ink-2">{props.unit}</span>
          </h2>
          <p className="max-w-[75ch] text-sm text-ink-2">{props.text}</p>
        </div>
        <ul className="flex gap-4 text-sm text-ink-2" aria-label={`Legend of ${props.title}`}>
          {lines.map((line) => {
            const value = pointed === undefined ? null : line.values[pointed];
            return (
              <li key={line.title} className="flex items-center gap-1.5">
                <svg width="18" height="10" aria-hidden="true">
                  <line x1="0" x2="18" y1="5" y2="5" stroke={line.stroke} strokeWidth="2" strokeDasharray={line.dashes} />
                </svg>
                {line.title}
                {value != null && <b className="tnum font-medium text-ink">{write(value)}</b>}
              </li>
            );
          })}
        </ul>
      </figcaption>
      <svg
        ref={place}
        role="img"
        aria-label={`${props.title}: at most ${write(greatest)} in ${at.length} ${props.per}s.`}
        height={ABOVE + HEIGHT + BELOW}
        className="block w-full overflow-visible"
        onPointerLeave={() => setPointed(undefined)}
      >
        <g transform={`translate(${LEFT} ${ABOVE})`}>
          {[0, 0.5, 1].map((part) => (
            <g key={part} className="tnum" fontSize="12">
              <line x1="0" x2={width} y1={HEIGHT * (1 - part)} y2={HEIGHT * (1 - part)} stroke="var(--line)" strokeWidth="1" />
              <text x="-8" y={HEIGHT * (1 - part) + 4} textAnchor="end" fill="var(--ink-2)">
                {part === 0 ? "0" : write(top * part).replace(/\.0+ /, " ")}
              </text>
            </g>
          ))}
          {pointed !== undefined && <line x1={x(pointed)} x2={x(pointed)} y1="0" y2={HEIGHT} stroke="var(--ink-2)" strokeWidth="1" />}
          {lines.map((line) => (
            <g key={line.title} stroke={line.stroke} strokeDasharray={line.dashes}>
              <path d={path(line.values, x, y)} fill="none" strokeWidth="1.75" strokeLinejoin="round" />
              {line.values.map((value, index) =>
                value != null && line.values[index - 1] == null && line.values[index + 1] == null ? (
                  <circle key={at[index]} cx={x(index)} cy={y(value)} r="2" fill={line.stroke} />
                ) : null,
              )}
            </g>
          ))}
          {at.map((each, index) => (
            <g key={each} onPointerEnter={() => setPointed(index)}>
              <rect x={index * slot} y="0" width={slot} height={HEIGHT} fill="transparent" />
              {index % every === 0 && (
                <text x={x(index)} y={HEIGHT + 19} fontSize="12" textAnchor="middle" fill="var(--ink-2)" className="tnum">
                  {tick(each, props.per, at.length)}
                </text>
              )}
            </g>
          ))}
        </g>
      </svg>
      <p className="min-h-5 text-sm text-ink-2">{pointed !== undefined && moment(new Date(at[pointed] ?? 0).toISOString())}</p>
      <Numbers
        per={props.per}
        titles={lines.map((line) => line.title)}
        rows={at
          .map((each, index): [number, (number | null | undefined)[]] => [each, lines.map((line) => line.values[index])])
          .filter(([, values]) => values.some((value) => value != null))
          .map(([each, values]) => [each, values.map((value) => (value == null ? "–" : write(value)))])}
      />
    </figure>
  );
}

/** The path through the values that follow each other; where one is missing, the line is broken. */
function path(values: (number | null)[], x: (index: number) => number, y: (value: number) => number): string {
  let isOpen = false;
  return values
    .map((value, index) => {
      if (value == null) {
        isOpen = false;
        return "";
      }
      const step = `${isOpen ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      isOpen = true;
      return step;
    })
    .join("");
}
