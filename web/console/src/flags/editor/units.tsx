/** By what units are told apart: an attribute, and others where that one is not known. */
import { RowList } from "@gateline/ui";
import { UNIT, type Units } from "../model";
import { AttributeField } from "./small";

interface Props {
  units: Units;
  set: (units: Units) => void;
  /** Where `by` and `or_by` stand in the request's body. */
  pointer: string;
  label?: string;
}

/** The attribute, and below it those that decide in its place. */
export function UnitsFields({ units, set, pointer, label = "By: the attribute that tells units apart" }: Props) {
  const { by = "", or_by = [] } = units;
  const change = (others: string[]) => set({ by, ...(others.length > 0 && { or_by: others }) });
  return (
    <div className="min-w-0 flex-[1_1_12rem] space-y-2">
      <AttributeField label={label} pointer={`${pointer}/by`} placeholder={UNIT} value={by} set={(name) => set({ ...units, by: name })} />
      {or_by.length > 0 && <p className="text-sm text-ink-2">Where it is not known or empty, the first of these that is known decides:</p>}
      <RowList
        label="fallbacks"
        count={or_by.length}
        remove={(index) => change(or_by.toSpliced(index, 1))}
        add={() => change([...or_by, ""])}
        adds="Add a fallback"
        row={(index) => (
          <AttributeField bare label={`Fallback ${index + 1}`} pointer={`${pointer}/or_by/${index}`} value={or_by[index] ?? ""} set={(name) => change(or_by.with(index, name))} />
        )}
      />
    </div>
  );
}
