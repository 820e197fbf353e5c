/** The values of a comparison: one, or many as chips that can be reached with the keyboard. */
import { Said, useSomeWrong, useWrong } from "@gateline/ui";
import { useAllWrong } from "@gateline/ui/form.tsx";
import { type ClipboardEvent, type KeyboardEvent, useId, useRef, useState } from "react";

interface Props {
  label: string;
  /** Where the list stands in the request's body. */
  pointer: string;
  values: string[];
  set: (values: string[]) => void;
  placeholder?: string | undefined;
  /** A comma ends a value, as Enter does. */
  commas?: boolean;
}

/** What was said of the values, below them. */
function Notes({ id, pointer }: { id: string; pointer: string }) {
  const wrong = useAllWrong(pointer);
  return (
    <ul id={id} className="mt-1 text-sm text-bad empty:hidden">
      {wrong.map((each) => (
        <li key={each.pointer + each.detail} className="break-words">
          <Said text={each.detail} />
        </li>
      ))}
    </ul>
  );
}

/** One value. */
export function OneValue({ label, pointer, values, set, placeholder }: Props) {
  const id = useId();
  const wrong = useSomeWrong(pointer);
  return (
    <div className="min-w-0 flex-[1_1_10rem]">
      <input
        aria-label={label}
        aria-invalid={wrong}
        aria-describedby={id}
        className="input font-mono text-sm"
        autoComplete="off"
        spellCheck={false}
        placeholder={placeholder}
        value={values[0] ?? ""}
        onChange={(event) => set(event.target.value === "" ? [] : [event.target.value, ...values.slice(1)])}
      />
      <Notes id={id} pointer={pointer} />
    </div>
  );
}

/**
 * Many values. The last one may still be in the field: it is a value from the first letter on, so that nothing typed
 * is lost when somebody saves.
 */
export function ManyValues({ label, pointer, values, set, placeholder, commas }: Props) {
  const id = useId();
  const wrong = useSomeWrong(pointer);
  const [typing, setTyping] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const done = typing ? values.slice(0, -1) : values;
  const text = typing ? (values.at(-1) ?? "") : "";

  const type = (typed: string, separator: RegExp | string) => {
    const parts = typed.split(separator);
    const rest = (parts.pop() ?? "").trimStart();
    const ended = parts.map((part) => part.trim()).filter(Boolean);
    set([...done, ...ended, ...(rest === "" ? [] : [rest])]);
    setTyping(rest !== "");
  };
  const paste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData.getData("text");
    if (!pasted.includes("\n")) return;
    event.preventDefault();
    type(`${text}${pasted.replaceAll("\r", "")}\n`, commas ? /[\n,]/ : "\n");
  };
  const end = () => {
    if (text.trim() !== text) set([...done, ...(text.trim() === "" ? [] : [text.trim()])]);
    setTyping(false);
  };
  const chips = () => [...(box.current?.querySelectorAll<HTMLElement>("[data-chip]") ?? [])];
  const keys = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter" && text !== "") {
      event.preventDefault();
      end();
    }
    if (text !== "" || done.length === 0) return;
    if (event.key === "Backspace") {
      event.preventDefault();
      setTyping(true);
    }
    if (event.key === "ArrowLeft") chips().at(-1)?.focus();
  };
  const remove = (index: number) => {
    set(values.filter((_, place) => place !== index));
    input.current?.focus();
  };
  const chipKeys = (event: KeyboardEvent, index: number) => {
    if (event.key === "ArrowLeft") chips()[Math.max(index - 1, 0)]?.focus();
    if (event.key === "ArrowRight") (chips()[index + 1] ?? input.current)?.focus();
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove(index);
    }
  };
  return (
    <div className="min-w-0 flex-[1_1_10rem]">
      <div ref={box} className="input flex max-h-40 flex-wrap items-center gap-1 overflow-y-auto py-1 focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-accent">
        {done.map((value, index) => (
          // Values may be there twice; their place is what tells them apart.
          // eslint-disable-next-line react/no-array-index-key
          <Chip key={index} value={value} pointer={`${pointer}/${index}`} remove={() => remove(index)} keys={(event) => chipKeys(event, index)} />
        ))}
        <input
          ref={input}
          aria-label={label}
          aria-invalid={wrong}
          aria-describedby={`${id} ${id}-keys`}
          className="min-w-8 flex-1 basis-8 bg-transparent font-mono text-sm outline-none placeholder:text-ink-2/80"
          autoComplete="off"
          spellCheck={false}
          placeholder={done.length === 0 ? placeholder : undefined}
          value={text}
          onChange={(event) => type(event.target.value, commas ? "," : "\n")}
          onPaste={paste}
          onKeyDown={keys}
          onBlur={end}
        />
      </div>
      <span id={`${id}-keys`} className="sr-only">
        {`${done.length} ${done.length === 1 ? "value" : "values"}. Enter ends a value${commas ? ", as a comma does" : ""}. Backspace goes back into the last one, the left arrow to those before.`}
      </span>
      <Notes id={id} pointer={pointer} />
    </div>
  );
}

function Chip(props: { value: string; pointer: string; remove: () => void; keys: (event: KeyboardEvent) => void }) {
  const wrong = useWrong(props.pointer) !== undefined;
  return (
    <button
      type="button"
      data-chip=""
      tabIndex={-1}
      aria-label={`Remove ${props.value}`}
      onClick={props.remove}
      onKeyDown={props.keys}
      className={`group inline-flex max-w-full items-center gap-1 rounded-sm border px-1.5 font-mono text-sm ${wrong ? "border-bad bg-bad-soft text-bad" : "border-line bg-sunken text-ink"}`}
    >
      <span className="truncate">{props.value}</span>
      <span aria-hidden="true" className={wrong ? "" : "text-ink-2"}>
        ×
      </span>
    </button>
  );
}
