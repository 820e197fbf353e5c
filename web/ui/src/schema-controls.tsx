/** The controls for the values of a JSON Schema that hold no others. */
import { type ReactNode, useId, useState } from "react";
import { figure } from "./figure";
import { useWrong } from "./form";
import { type Shape, boundsOf, labelOf } from "./schema";
import { Said } from "./text";

/** What every field of a schema takes. */
export interface FieldProps {
  shape: Shape;
  value: unknown;
  /** `undefined` takes the value away. */
  set: (value: unknown) => void;
  /** Where the value stands in the request's body. */
  pointer: string;
  label: string;
  required: boolean;
  /** The label is only for those who do not see where the field stands, as in the rows of a list. */
  bare?: boolean;
}

/** The same for one kind of shape. */
export type Of<Kind extends Shape["kind"]> = Omit<FieldProps, "shape"> & { shape: Extract<Shape, { kind: Kind }> };

interface Attributes {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string;
  "aria-label"?: string;
}

/** Label, help and what is wrong around one control. */
function Around(props: FieldProps & { note?: ReactNode; children: (attributes: Attributes) => ReactNode }) {
  const id = useId();
  const wrong = useWrong(props.pointer);
  const attributes = { id, "aria-invalid": wrong !== undefined, "aria-describedby": `${id}-note` };
  const bounds = boundsOf(props.shape);
  return (
    <div className="min-w-0 flex-[1_1_9rem]">
      {!props.bare && (
        <label htmlFor={id} className="mb-1 block font-medium">
          {props.label} {!props.required && <span className="font-normal text-ink-2">(optional)</span>}
        </label>
      )}
      {props.children(props.bare ? { ...attributes, "aria-label": props.label } : attributes)}
      <div id={`${id}-note`} className="mt-1 text-sm empty:hidden">
        {wrong && (
          <p className="text-bad">
            <Said text={wrong} />
          </p>
        )}
        {!props.bare && (props.shape.description || bounds || props.note) && (
          <p className="text-ink-2">
            <Said text={[props.shape.description, bounds].filter(Boolean).join(" ")} /> {props.note}
          </p>
        )}
      </div>
    </div>
  );
}

/** A text that is typed, of a value that may change from elsewhere. */
function useTyped(value: unknown, print: (value: unknown) => string, parse: (text: string) => unknown): [string, (text: string) => void] {
  const [text, setText] = useState(() => print(value));
  const [known, setKnown] = useState(value);
  if (value !== known) {
    setKnown(value);
    if (print(value) !== print(parse(text))) setText(print(value));
  }
  return [text, setText];
}

const plain = (value: unknown): string => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));

/** A text. */
export function TextControl(props: Of<"text">) {
  const { shape } = props;
  // A text that must be there may be empty; the API says whether.
  const change = (text: string) => props.set(text === "" && !props.required && !props.bare ? undefined : text);
  const common = { className: "input font-mono", placeholder: plain(shape.default), value: plain(props.value) };
  return (
    <Around {...props}>
      {(attributes) =>
        shape.long ? (
          <textarea {...attributes} {...common} rows={5} onChange={(event) => change(event.target.value)} />
        ) : (
          <input {...attributes} {...common} autoComplete="off" spellCheck={false} onChange={(event) => change(event.target.value)} />
        )
      }
    </Around>
  );
}

/** A number. */
export function NumberControl(props: Of<"number">) {
  const [text, setText] = useTyped(props.value, plain, figure);
  return (
    <Around {...props}>
      {(attributes) => (
        <input
          {...attributes}
          className="input tnum max-w-60"
          inputMode={props.shape.whole ? "numeric" : "decimal"}
          autoComplete="off"
          placeholder={plain(props.shape.default)}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            props.set(figure(event.target.value));
          }}
        />
      )}
    </Around>
  );
}

const printJson = (value: unknown): string => (value === undefined ? "" : JSON.stringify(value, null, 2));

/** What is not JSON is sent as the text that it is. */
function parseJson(text: string): unknown {
  try {
    return text.trim() === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}

/** A value that no other control shows, as JSON. */
export function JsonControl(props: Of<"json">) {
  const [text, setText] = useTyped(props.value, printJson, parseJson);
  return (
    <Around {...props} note="JSON.">
      {(attributes) => (
        <textarea
          {...attributes}
          className="input font-mono text-sm"
          rows={4}
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            props.set(parseJson(event.target.value));
          }}
        />
      )}
    </Around>
  );
}

/** On or off. */
export function Toggle(props: Of<"toggle">) {
  const on = props.value ?? props.shape.default ?? false;
  const id = useId();
  const wrong = useWrong(props.pointer);
  return (
    <label htmlFor={id} className="flex gap-2.5">
      <input
        id={id}
        type="checkbox"
        className="mt-0.5 size-4 shrink-0 accent-accent"
        aria-invalid={wrong !== undefined}
        checked={on === true}
        onChange={(event) => props.set(event.target.checked)}
      />
      <span className="min-w-0">
        <span className={`block font-medium ${props.bare ? "sr-only" : ""}`}>{props.label}</span>
        {wrong && (
          <span className="block text-sm text-bad">
            <Said text={wrong} />
          </span>
        )}
        {props.shape.description && (
          <span className="block text-sm text-ink-2">
            <Said text={props.shape.description} />
          </span>
        )}
      </span>
    </label>
  );
}

/** One of a few values. */
export function Choice(props: Of<"choice">) {
  const { options } = props.shape;
  const effective = props.value ?? props.shape.default;
  const at = options.findIndex((option) => option.value === effective);
  const description = options[at]?.description;
  return (
    <Around {...props} note={description && <Said text={description} />}>
      {(attributes) => (
        <select {...attributes} className="input max-w-96" value={at} onChange={(event) => props.set(options[Number(event.target.value)]?.value)}>
          {at < 0 && <option value={-1}>{effective === undefined ? "–" : plain(effective)}</option>}
          {options.map((option, index) => (
            <option key={plain(option.value)} value={index}>
              {option.title ?? (typeof option.value === "string" ? labelOf(option.value) : plain(option.value))}
            </option>
          ))}
        </select>
      )}
    </Around>
  );
}
