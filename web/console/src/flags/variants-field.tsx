/** The variants of a flag and their values, by the flag's type. */
import { RowList, Said, useWrong } from "@gateline/ui";
import { useId } from "react";
import type { FlagType } from "./model";
import { type VariantRow, isUsual, pointerOf } from "./variants";

interface Props {
  type: FlagType;
  rows: VariantRow[];
  set: (rows: VariantRow[]) => void;
}

/** The field. A boolean flag is on or off: there is nothing to fill in. */
export function VariantsField({ type, rows, set }: Props) {
  const wrong = useWrong("/variants");
  const change = (index: number, row: Partial<VariantRow>) => set(rows.map((each, place) => (place === index ? { ...each, ...row } : each)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Variants</legend>
      {type === "boolean" && isUsual(rows) ? (
        <p className="text-ink-2">
          <code>on</code> is true and <code>off</code> is false.
        </p>
      ) : (
        <>
          <p className="mb-1.5 text-sm text-ink-2">Their names stand in rules and answers, their values in programs.</p>
          <RowList
            label="variants"
            count={rows.length}
            remove={(index) => set(rows.filter((_, place) => place !== index))}
            add={() => set([...rows, { name: "", text: type === "boolean" ? "true" : "" }])}
            row={(index) => <VariantFields type={type} row={rows[index] ?? { name: "", text: "" }} index={index} change={(row) => change(index, row)} />}
          />
        </>
      )}
      {wrong && (
        <p className="mt-1 text-sm text-bad">
          <Said text={wrong} />
        </p>
      )}
    </fieldset>
  );
}

function VariantFields(props: { type: FlagType; row: VariantRow; index: number; change: (row: Partial<VariantRow>) => void }) {
  const { row, type, index } = props;
  const id = useId();
  const wrong = useWrong(pointerOf(row.name));
  const attributes = {
    "aria-label": row.name ? `Value of ${row.name}` : `Variant ${index + 1}: value`,
    "aria-invalid": wrong !== undefined,
    "aria-describedby": id,
    value: row.text,
  };
  const change = (event: { target: { value: string } }) => props.change({ text: event.target.value });
  return (
    <div className="min-w-0 flex-1">
      <div className="grid grid-cols-[minmax(0,10rem)_minmax(0,1fr)] gap-2">
        <input
          aria-label={`Variant ${index + 1}: name`}
          className="input font-mono"
          autoComplete="off"
          spellCheck={false}
          placeholder="Name"
          value={row.name}
          onChange={(event) => props.change({ name: event.target.value })}
        />
        {type === "boolean" ? (
          <select {...attributes} className="input" onChange={change}>
            <option value="true">true</option>
            <option value="false">false</option>
          </select>
        ) : type === "json" ? (
          <textarea
            {...attributes}
            className="input font-mono text-sm"
            rows={Math.min(Math.max(row.text.split("\n").length, 2), 14)}
            spellCheck={false}
            onChange={change}
          />
        ) : (
          <input {...attributes} className="input font-mono" autoComplete="off" inputMode={type === "number" ? "decimal" : "text"} placeholder="Value" onChange={change} />
        )}
      </div>
      <p id={id} className="mt-1 text-sm text-bad empty:hidden">
        {wrong && <Said text={wrong} />}
      </p>
    </div>
  );
}
