/** A share of all units: by what they are put in order, and which parts of the order are meant. */
import { RowList, Said, figure, useWrong } from "@gateline/ui";
import { useState } from "react";
import type { Dialect, Gate, Units } from "../model";
import { dialects } from "../words";
import { Small, SmallText } from "./small";
import { UnitsFields } from "./units";

/** The gate for other units. */
function withUnits(gate: Gate, { by = "", or_by }: Units): Gate {
  const { or_by: _, ...rest } = gate;
  return { ...rest, by, ...(or_by && { or_by }) };
}

/** The fields of a share of all units. */
export function GateFields({ gate, set, pointer }: { gate: Gate; set: (gate: Gate) => void; pointer: string }) {
  return (
    <div className="flex min-w-0 flex-1 flex-wrap gap-2">
      <SmallText mono label="Key" placeholder="layer-1" pointer={`${pointer}/key`} value={gate.key} set={(key) => set({ ...gate, key })} />
      {gate.dialect && (
        <Small label="In the order of" pointer={`${pointer}/dialect`}>
          {(attributes) => (
            <select {...attributes} className="input" value={gate.dialect} onChange={(event) => set({ ...gate, dialect: event.target.value as Dialect })}>
              {Object.entries(dialects).map(([name, title]) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </select>
          )}
        </Small>
      )}
      <UnitsFields label="By" units={gate} set={(units) => set(withUnits(gate, units))} pointer={pointer} />
      <fieldset className="min-w-0 flex-[1_1_14rem]">
        <legend className="mb-1 text-sm text-ink-2">Parts that pass, in percent</legend>
        <RowList
          label="parts"
          count={gate.parts.length}
          remove={(index) => set({ ...gate, parts: gate.parts.toSpliced(index, 1) })}
          add={() => set({ ...gate, parts: [...gate.parts, [50, 100]] })}
          adds="Add a part"
          row={(index) => <Part part={gate.parts[index] ?? [0, 0]} index={index} set={(part) => set({ ...gate, parts: gate.parts.with(index, part) })} pointer={`${pointer}/parts/${index}`} />}
        />
      </fieldset>
    </div>
  );
}

/** The number that was typed; what is none is sent as it stands, so that the API says so. */
const number = (text: string): number => figure(text) ?? (text as unknown as number);

function Part(props: { part: [number, number]; index: number; set: (part: [number, number]) => void; pointer: string }) {
  const wrong = useWrong(props.pointer);
  const [from, to] = props.part;
  const [typed, setTyped] = useState<[string, string]>([String(from), String(to)]);
  const change = (next: [string, string]) => {
    setTyped(next);
    props.set([number(next[0]), number(next[1])]);
  };
  // A number that was not typed here comes from the JSON.
  const shown = (place: 0 | 1) => (number(typed[place]) === props.part[place] ? typed[place] : String(props.part[place]));
  const input = (place: 0 | 1, label: string) => (
    <input
      aria-label={`Part ${props.index + 1}: ${label}`}
      aria-invalid={wrong !== undefined}
      className="input tnum w-18 text-right"
      inputMode="decimal"
      autoComplete="off"
      value={shown(place)}
      onChange={(event) => change(place === 0 ? [event.target.value, shown(1)] : [shown(0), event.target.value])}
    />
  );
  return (
    <div className="min-w-0">
      <div className="flex items-center gap-1.5">
        {input(0, "from")} to {input(1, "to")} %
      </div>
      {wrong && (
        <p className="mt-1 text-sm text-bad">
          <Said text={wrong} />
        </p>
      )}
    </div>
  );
}
