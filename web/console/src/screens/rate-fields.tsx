import { SelectField, TextField } from "@gateline/ui";

/** What stands in the fields. */
export interface RateValues {
  requests: string;
  window_seconds: string;
}

const windows: [string, string][] = [
  ["1", "Second"],
  ["60", "Minute"],
  ["3600", "Hour"],
  ["86400", "Day"],
];

/** How many calls in what time; a window that was set elsewhere stays as it is. */
export function RateFields(props: { values: RateValues; set: (change: Partial<RateValues>) => void; help: string }) {
  const { requests, window_seconds } = props.values;
  const isKnown = windows.some(([seconds]) => seconds === window_seconds);
  return (
    <>
      <TextField
        label="Rate limit"
        optional
        pointer="/rate_limit/requests"
        help={props.help}
        value={requests}
        set={(text) => props.set({ requests: text })}
      />
      <SelectField
        label="Window"
        pointer="/rate_limit/window_seconds"
        value={window_seconds}
        set={(seconds) => props.set({ window_seconds: seconds })}
        options={isKnown ? windows : [[window_seconds, `${window_seconds} seconds`], ...windows]}
      />
    </>
  );
}
