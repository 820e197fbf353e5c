/** Small fields that several parts of the editor have. */
import { Said, useWrong } from "@gateline/ui";
import { expiryOf, momentOf } from "@gateline/ui/expiry.ts";
import { createContext, type ReactNode, useContext, useId } from "react";

/** The id of the list of attributes' names that fields offer. */
export const ATTRIBUTES = "flag-attributes";

/** Attributes that most programs send. */
const USUAL = ["user_id", "email", "country", "plan", "app_version", "platform", "groups", "ip"];

/** The list of attributes' names: those that are in use, and usual ones. */
export const AttributeNames = ({ used }: { used: string[] }) => (
  <datalist id={ATTRIBUTES}>
    {[...new Set([...used, ...USUAL])].map((name) => (
      <option key={name} value={name}>
        {name}
      </option>
    ))}
  </datalist>
);

/** The variants of the flag that is edited. */
export const VariantsContext = createContext<string[]>([]);

/** Label and what is wrong around a small control. */
export function Small(props: {
  label: string;
  pointer: string;
  /** The label is only for those who do not see where the field stands. */
  bare?: boolean;
  className?: string;
  children: (attributes: { id: string; "aria-invalid": boolean; "aria-describedby": string; "aria-label"?: string }) => ReactNode;
}) {
  const id = useId();
  const wrong = useWrong(props.pointer);
  const attributes = { id, "aria-invalid": wrong !== undefined, "aria-describedby": `${id}-note` };
  return (
    <div className={`min-w-0 ${props.className ?? "flex-[1_1_10rem]"}`}>
      {!props.bare && (
        <label htmlFor={id} className="mb-1 block text-sm text-ink-2">
          {props.label}
        </label>
      )}
      {props.children(props.bare ? { ...attributes, "aria-label": props.label } : attributes)}
      <p id={`${id}-note`} className="mt-1 text-sm text-bad empty:hidden">
        {wrong && <Said text={wrong} />}
      </p>
    </div>
  );
}

interface TextProps {
  label: string;
  pointer: string;
  value: string;
  set: (value: string) => void;
  placeholder?: string;
  bare?: boolean;
  className?: string;
}

/** A name of an attribute; those that are known are offered. */
export const AttributeField = (props: TextProps) => (
  <Small {...props}>
    {(attributes) => (
      <input
        {...attributes}
        className="input font-mono text-sm"
        list={ATTRIBUTES}
        autoComplete="off"
        spellCheck={false}
        placeholder={props.placeholder ?? "Attribute"}
        value={props.value}
        onChange={(event) => props.set(event.target.value)}
      />
    )}
  </Small>
);

/** One line of text. */
export const SmallText = (props: TextProps & { mono?: boolean }) => (
  <Small {...props}>
    {(attributes) => (
      <input
        {...attributes}
        className={`input ${props.mono ? "font-mono text-sm" : ""}`}
        autoComplete="off"
        placeholder={props.placeholder}
        value={props.value}
        onChange={(event) => props.set(event.target.value)}
      />
    )}
  </Small>
);

/** A variant of the flag. One that the flag does not have is shown as it is. */
export function VariantField(props: TextProps) {
  const names = useContext(VariantsContext);
  return (
    <Small {...props}>
      {(attributes) => (
        <select {...attributes} className="input" value={props.value} onChange={(event) => props.set(event.target.value)}>
          {!names.includes(props.value) && <option value={props.value}>{props.value || "–"}</option>}
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Small>
  );
}

/** A moment, in the reader's time zone; what is none, as a program may have sent it, is shown as text. */
export function MomentField(props: { label: string; pointer: string; value: string | undefined; set: (value: string | undefined) => void }) {
  const isMoment = props.value === undefined || !Number.isNaN(Date.parse(props.value));
  const shown = isMoment ? expiryOf(props.value).at : props.value;
  return (
    <Small {...props}>
      {(attributes) => (
        <input
          {...attributes}
          type={isMoment ? "datetime-local" : "text"}
          className="input"
          value={shown}
          onChange={(event) => props.set(event.target.value === "" ? undefined : momentOf({ ends: "at", at: event.target.value }))}
        />
      )}
    </Small>
  );
}
