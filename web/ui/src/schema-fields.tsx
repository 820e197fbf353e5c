/** The fields of a form made from a JSON Schema: one control for each kind of [`Shape`]. */
import { type ReactNode, useId, useState } from "react";
import { useWrong } from "./form";
import { RowList } from "./rows";
import { beginning, boundsOf, labelOf, step, variantOf, withProperty } from "./schema";
import { Choice, type FieldProps, JsonControl, NumberControl, type Of, TextControl, Toggle } from "./schema-controls";
import { Said } from "./text";

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The field of a value. */
export function SchemaField(props: FieldProps): ReactNode {
  const { shape } = props;
  if (shape.fixed !== undefined) return null;
  switch (shape.kind) {
    case "text":
      return <TextControl {...props} shape={shape} />;
    case "number":
      return <NumberControl {...props} shape={shape} />;
    case "toggle":
      return <Toggle {...props} shape={shape} />;
    case "choice":
      return <Choice {...props} shape={shape} />;
    case "list":
      return <Rows {...props} shape={shape} />;
    case "map":
      return <Entries {...props} shape={shape} />;
    case "group":
      return (
        <Group {...props}>
          <Properties {...props} shape={shape} />
        </Group>
      );
    case "variants":
      return <Variants {...props} shape={shape} />;
    case "json":
      return <JsonControl {...props} shape={shape} />;
  }
}

/** The properties of a group, one below the other. */
export function Properties(props: Of<"group">) {
  const { shape, value, pointer } = props;
  const known = isObject(value) ? value : {};
  return shape.properties.map((property) => (
    <SchemaField
      key={property.name}
      shape={property.shape}
      value={known[property.name]}
      set={(next) => {
        const changed = withProperty(known, property.name, next);
        props.set(Object.keys(changed).length === 0 && !props.required ? undefined : changed);
      }}
      pointer={pointer + step(property.name)}
      label={property.shape.title ?? labelOf(property.name)}
      required={property.required}
    />
  ));
}

/** Several fields under one name. */
function Group(props: FieldProps & { children: ReactNode }) {
  const wrong = useWrong(props.pointer);
  const bounds = boundsOf(props.shape);
  return (
    <fieldset data-wrong={wrong === undefined ? undefined : ""} tabIndex={wrong === undefined ? undefined : -1} className="min-w-0 flex-1">
      <legend className={`mb-1 font-medium ${props.bare ? "sr-only" : ""}`}>
        {props.label} {!props.required && <span className="font-normal text-ink-2">(optional)</span>}
      </legend>
      {!props.bare && (props.shape.description || bounds) && (
        <p className="mb-1.5 text-sm text-ink-2">
          <Said text={[props.shape.description, bounds].filter(Boolean).join(" ")} />
        </p>
      )}
      {wrong && (
        <p className="mb-1.5 text-sm text-bad">
          <Said text={wrong} />
        </p>
      )}
      <div className={props.shape.kind === "group" || props.shape.kind === "variants" ? "space-y-4 border-l-2 border-line pl-4" : "space-y-2"}>
        {props.children}
      </div>
    </fieldset>
  );
}

function Rows(props: Of<"list">) {
  const { shape, pointer } = props;
  const items: unknown[] = Array.isArray(props.value) ? props.value : [];
  const change = (next: unknown[]) => props.set(next.length === 0 && !props.required ? undefined : next);
  const full = shape.max !== undefined && items.length >= shape.max;
  return (
    <Group {...props}>
      <RowList
        label={props.label}
        count={items.length}
        remove={(index) => change(items.filter((_, place) => place !== index))}
        {...(full ? {} : { add: () => change([...items, beginning(shape.item) ?? ""]) })}
        row={(index) => (
          <SchemaField
            bare
            required
            shape={shape.item}
            value={items[index]}
            set={(next) => change(items.map((each, place) => (place === index ? (next ?? "") : each)))}
            pointer={pointer + step(index)}
            label={`${props.label} ${index + 1}`}
          />
        )}
      />
    </Group>
  );
}

type Entry = [name: string, value: unknown];

/** Names and values. The rows are kept beside the value, because two of them may have the same name while it is typed. */
function Entries(props: Of<"map">) {
  const { shape } = props;
  const [entries, setEntries] = useState<Entry[]>(() => (isObject(props.value) ? Object.entries(props.value) : []));
  const change = (next: Entry[]) => {
    setEntries(next);
    props.set(next.length === 0 && !props.required ? undefined : Object.fromEntries(next));
  };
  return (
    <Group {...props}>
      <RowList
        label={props.label}
        count={entries.length}
        remove={(index) => change(entries.filter((_, place) => place !== index))}
        add={() => change([...entries, ["", beginning(shape.value) ?? ""]])}
        row={(index) => (
          <EntryRow
            {...props}
            entry={entries[index] ?? ["", ""]}
            label={`${props.label} ${index + 1}`}
            twice={entries.some(([name], place) => place > index && name === entries[index]?.[0])}
            change={(next) => change(entries.map((each, place) => (place === index ? next : each)))}
          />
        )}
      />
    </Group>
  );
}

function EntryRow(props: Of<"map"> & { entry: Entry; twice: boolean; change: (entry: Entry) => void }) {
  const [name, value] = props.entry;
  return (
    <>
      <div className="min-w-0 flex-[1_1_9rem]">
        <input
          aria-label={`${props.label}: name`}
          className="input font-mono"
          autoComplete="off"
          spellCheck={false}
          placeholder="Name"
          value={name}
          onChange={(event) => props.change([event.target.value, value])}
        />
        {props.twice && <p className="mt-1 text-sm text-warn">This name is there again below; only the last one counts.</p>}
      </div>
      <SchemaField
        bare
        required
        shape={props.shape.value}
        value={value}
        set={(next) => props.change([name, next ?? ""])}
        pointer={props.pointer + step(name)}
        label={`${props.label}: value`}
      />
    </>
  );
}

/** One of several shapes: which one, then its fields. */
function Variants(props: Of<"variants">) {
  const { of: all } = props.shape;
  const [chosen, setChosen] = useState(() => variantOf(all, props.value));
  const id = useId();
  const variant = all[chosen];
  return (
    <Group {...props}>
      <div>
        <label htmlFor={id} className="mb-1 block font-medium">
          {props.label}: form
        </label>
        <select
          id={id}
          className="input max-w-96"
          value={chosen}
          onChange={(event) => {
            const next = Number(event.target.value);
            setChosen(next);
            props.set(all[next] && beginning(all[next].shape));
          }}
        >
          {all.map((each, index) => (
            <option key={each.title} value={index}>
              {each.title}
            </option>
          ))}
        </select>
        {variant?.shape.description && (
          <p className="mt-1 text-sm text-ink-2">
            <Said text={variant.shape.description} />
          </p>
        )}
      </div>
      {variant?.shape.kind === "group" ? (
        <Properties key={chosen} {...props} required shape={variant.shape} />
      ) : (
        variant && <SchemaField key={chosen} {...props} bare shape={variant.shape} />
      )}
    </Group>
  );
}
