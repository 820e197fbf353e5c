/** What is known of somebody, as it is typed to try a flag or a segment. */
import { RowList, useWrong } from "@gateline/ui";
import { step } from "@gateline/ui/schema.ts";
import { useId } from "react";
import { UNIT } from "./model";

/** An attribute as it is typed. */
export interface AttributeRow {
  name: string;
  text: string;
}

/** The most attributes that are offered at first. */
const OFFERED_MAX = 8;

/** What the form begins with: the attributes that matter, or at least the unit. */
export const rowsOf = (names: string[]): AttributeRow[] => (names.length > 0 ? names.slice(0, OFFERED_MAX) : [UNIT]).map((name) => ({ name, text: "" }));

/** An attribute as it is sent: `[` begins a list, everything else is a text, which is compared with numbers as well. */
function attributeOf(text: string): unknown {
  if (!text.startsWith("[")) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The attributes as they are sent; what is not filled in is not known. */
export const known = (rows: AttributeRow[]): Record<string, never> =>
  Object.fromEntries(rows.filter((row) => row.name !== "" && row.text !== "").map((row) => [row.name, attributeOf(row.text)])) as Record<string, never>;

/** The rows. */
export function AttributesField({ rows, set }: { rows: AttributeRow[]; set: (rows: AttributeRow[]) => void }) {
  return (
    <fieldset>
      <legend className="mb-1 font-medium">What is known of them</legend>
      <RowList
        label="attributes"
        count={rows.length}
        remove={(index) => set(rows.toSpliced(index, 1))}
        add={() => set([...rows, { name: "", text: "" }])}
        row={(index) => <Fields row={rows[index] ?? { name: "", text: "" }} index={index} change={(row) => set(rows.with(index, row))} />}
      />
      <p className="mt-1.5 text-sm text-ink-2">
        A list is written as <code>[&quot;a&quot;, &quot;b&quot;]</code>.
      </p>
    </fieldset>
  );
}

function Fields(props: { row: AttributeRow; index: number; change: (row: AttributeRow) => void }) {
  const { row, index } = props;
  const id = useId();
  const wrong = useWrong(`/attributes${step(row.name)}`);
  const common = { className: "input font-mono text-sm", autoComplete: "off", spellCheck: false };
  return (
    <div className="min-w-0 flex-1">
      <div className="grid grid-cols-2 gap-2">
        <input
          {...common}
          aria-label={`Attribute ${index + 1}: name`}
          placeholder="Name"
          value={row.name}
          onChange={(event) => props.change({ ...row, name: event.target.value })}
        />
        <input
          {...common}
          aria-label={row.name ? `Value of ${row.name}` : `Attribute ${index + 1}: value`}
          aria-invalid={wrong !== undefined}
          aria-describedby={id}
          placeholder="Not known"
          value={row.text}
          onChange={(event) => props.change({ ...row, text: event.target.value })}
        />
      </div>
      <p id={id} className="text-sm text-bad empty:hidden">
        {wrong}
      </p>
    </div>
  );
}
