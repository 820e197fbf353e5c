/**
 * The form template: labels, help, what is wrong beside the field it is about, no way to lose what was typed by
 * accident. See web/README.md for how a screen uses it.
 *
 * A field's `pointer` is where its value stands in the request's body (RFC 6901). What the server finds wrong there
 * (`errors[].pointer` of the problem) is shown beside the field; everything else above the form.
 */
import { type FieldError, ProblemError } from "@gateline/api-client";
import { useBlocker, useNavigate } from "@tanstack/react-router";
import { createContext, type ReactNode, useContext, useEffect, useId, useMemo, useRef, useState } from "react";
import { Button, ButtonLink } from "./button";
import { Confirm } from "./dialog";
import { ProblemNote } from "./problem";
import { Said } from "./text";

interface Form<Values> {
  values: Values;
  set: (change: Partial<Values>) => void;
  dirty: boolean;
  busy: boolean;
  error: Error | undefined;
  submit: () => Promise<void>;
  /** As it was at first, for another one of what was sent. */
  reset: () => void;
}

/** A form's state. `send` makes the call; `after` runs when it went well, usually to navigate. */
export function useForm<Values extends object, Answer>(options: {
  initial: Values;
  send: (values: Values) => Promise<Answer>;
  after: (answer: Answer) => void | Promise<void>;
}): Form<Values> {
  const [values, setValues] = useState(options.initial);
  const [state, setState] = useState<{ dirty: boolean; busy: boolean; error?: Error }>({ dirty: false, busy: false });
  const answer = useRef<{ of: Answer }>(undefined);
  const { after } = options;

  // Once it is no longer dirty, so that the guard lets the navigation pass.
  useEffect(() => {
    if (!answer.current || state.dirty) return;
    const { of } = answer.current;
    answer.current = undefined;
    void after(of);
  });

  return {
    values,
    dirty: state.dirty,
    busy: state.busy,
    error: state.error,
    set: (change) => {
      setValues((old) => ({ ...old, ...change }));
      setState((old) => ({ ...old, dirty: true }));
    },
    reset: () => {
      setValues(options.initial);
      setState({ dirty: false, busy: false });
    },
    submit: async () => {
      if (state.busy) return;
      setState((old) => ({ dirty: old.dirty, busy: true }));
      try {
        answer.current = { of: await options.send(values) };
        setState({ dirty: false, busy: false });
      } catch (error) {
        setState((old) => ({ dirty: old.dirty, busy: false, error: error as Error }));
      }
    },
  };
}

interface Wrong {
  /** What the server said of the field at this pointer; asking for it means to show it. */
  at: (pointer: string) => string | undefined;
  /** The same of everything at or below a pointer. */
  below: (pointer: string) => FieldError[];
  /** Pointers below which everything is shown. */
  areas: Set<string>;
}

const WrongContext = createContext<Wrong>({ at: () => undefined, below: () => [], areas: new Set() });

/** What the server said of the value at a pointer, for fields that are not made of [`Field`]. */
export const useWrong = (pointer: string): string | undefined => useContext(WrongContext).at(pointer);

/** Whether something is wrong at or below a pointer, for what shows the fields there or hides them. */
export const useSomeWrong = (pointer: string): boolean => useContext(WrongContext).below(pointer).length > 0;

/** What the server said of the values at and below a pointer, for a field that shows all of it. */
export function useAllWrong(pointer: string): FieldError[] {
  const { below, areas } = useContext(WrongContext);
  useEffect(() => {
    areas.add(pointer);
    return () => void areas.delete(pointer);
  }, [areas, pointer]);
  return below(pointer);
}

const within = (pointer: string, area: string): boolean => pointer === area || pointer.startsWith(`${area}/`);

/** The form around its fields. */
export function FormPanel<Values>(props: {
  form: Form<Values>;
  submit: string;
  /** Where giving up leads. */
  cancel?: string;
  /** The button that submits cannot be pressed yet. */
  disabled?: boolean;
  /** Leaving does not ask, for forms without anything to lose (sign-in). */
  unguarded?: boolean;
  /** As wide as the screen, for forms with more than one column. */
  wide?: boolean;
  /** Stands across from the buttons. */
  beside?: ReactNode;
  children: ReactNode;
}) {
  const { form } = props;
  const element = useRef<HTMLFormElement>(null);
  const fields = form.error instanceof ProblemError ? form.error.fields : [];
  const [placed] = useState(() => new Set<string>());
  const [areas] = useState(() => new Set<string>());
  const wrong = useMemo<Wrong>(() => {
    const found = form.error instanceof ProblemError ? form.error.fields : [];
    return {
      at: (pointer) => {
        placed.add(pointer);
        return found.find((field) => field.pointer === pointer)?.detail;
      },
      below: (pointer) => found.filter((field) => within(field.pointer, pointer)),
      areas,
    };
  }, [form.error, placed, areas]);
  useEffect(() => {
    if (form.error) element.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-wrong]")?.focus();
  }, [form.error]);
  const everyPlaced = fields.length > 0 && fields.every(({ pointer }) => placed.has(pointer) || [...areas].some((area) => within(pointer, area)));

  return (
    <form
      ref={element}
      noValidate
      className={`space-y-5 ${props.wide ? "" : "max-w-2xl"}`}
      onSubmit={(event) => {
        event.preventDefault();
        void form.submit();
      }}
    >
      {form.error && !everyPlaced && <ProblemNote error={form.error} />}
      <WrongContext value={wrong}>{props.children}</WrongContext>
      <div className={`flex gap-2 ${props.wide ? "sticky bottom-0 border-t border-line bg-bg py-3" : "pt-1"}`}>
        <Button kind="primary" type="submit" busy={form.busy} disabled={props.disabled ?? false}>
          {props.submit}
        </Button>
        {props.cancel && (
          <ButtonLink to={props.cancel} kind="plain">
            Cancel
          </ButtonLink>
        )}
        {props.beside && <div className="ml-auto">{props.beside}</div>}
      </div>
      {!props.unguarded && <Guard dirty={form.dirty} />}
    </form>
  );
}

/** Asks before what was typed is lost. */
function Guard({ dirty }: { dirty: boolean }) {
  const blocker = useBlocker({
    // Filters and tabs of the same screen lose nothing.
    shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname,
    enableBeforeUnload: dirty,
    withResolver: true,
  });
  return (
    <Confirm
      open={blocker.status === "blocked"}
      title="Leave without saving?"
      action="Leave"
      onConfirm={() => blocker.proceed?.()}
      onClose={() => blocker.reset?.()}
    >
      What you typed here is lost.
    </Confirm>
  );
}

interface FieldProps {
  label: string;
  /** Where the value stands in the request's body. */
  pointer: string;
  help?: ReactNode;
  optional?: boolean;
}

/** Label, help and what is wrong around a control; the control takes the given attributes. */
export function Field(
  props: FieldProps & { children: (attributes: { id: string; "aria-invalid": boolean; "aria-describedby": string }) => ReactNode },
) {
  const id = useId();
  const wrong = useWrong(props.pointer);
  return (
    <div>
      <label htmlFor={id} className="mb-1 block font-medium">
        {props.label} {props.optional && <span className="font-normal text-ink-2">(optional)</span>}
      </label>
      {props.children({ id, "aria-invalid": wrong !== undefined, "aria-describedby": `${id}-note` })}
      <div id={`${id}-note`} className="mt-1 text-sm">
        {wrong && (
          <p className="text-bad">
            <Said text={wrong} />
          </p>
        )}
        {props.help && <div className="text-ink-2">{props.help}</div>}
      </div>
    </div>
  );
}

interface InputProps extends FieldProps {
  value: string;
  set: (value: string) => void;
  type?: "text" | "email" | "password" | "url" | "number" | "datetime-local";
  autoComplete?: string;
  placeholder?: string;
  disabled?: boolean;
  mono?: boolean;
}

/** One line of text. */
export function TextField(props: InputProps) {
  return (
    <Field {...props}>
      {(attributes) => (
        <input
          {...attributes}
          className={`input ${props.mono ? "font-mono" : ""}`}
          type={props.type ?? "text"}
          autoComplete={props.autoComplete ?? "off"}
          placeholder={props.placeholder}
          disabled={props.disabled}
          value={props.value}
          onChange={(event) => props.set(event.target.value)}
        />
      )}
    </Field>
  );
}

/** A password that is being chosen. */
export function NewPasswordField({ label = "Password", ...props }: { label?: string; value: string; set: (value: string) => void }) {
  return (
    <TextField
      {...props}
      label={label}
      pointer="/password"
      type="password"
      autoComplete="new-password"
      help="At least 10 characters; a sentence is a good one."
    />
  );
}

/** Several lines of text. */
export function TextArea(props: FieldProps & { value: string; set: (value: string) => void; rows?: number; mono?: boolean }) {
  return (
    <Field {...props}>
      {(attributes) => (
        <textarea
          {...attributes}
          className={`input ${props.mono ? "font-mono text-sm" : ""}`}
          rows={props.rows ?? 4}
          value={props.value}
          onChange={(event) => props.set(event.target.value)}
        />
      )}
    </Field>
  );
}

/** One of a few. A value that is none of them, as of a list that is longer than what was asked for, is shown as it is. */
export function SelectField(props: FieldProps & { value: string; set: (value: string) => void; options: [value: string, title: string][] }) {
  const other = props.value !== "" && !props.options.some(([value]) => value === props.value);
  return (
    <Field {...props}>
      {(attributes) => (
        <select {...attributes} className="input" value={props.value} onChange={(event) => props.set(event.target.value)}>
          {other && <option value={props.value}>{props.value}</option>}
          {props.options.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** Any number of a few. */
export function ChoiceField(props: {
  label: string;
  help?: ReactNode;
  options: { value: string; title: string; text?: ReactNode }[];
  chosen: string[];
  set: (chosen: string[]) => void;
  /** Exactly one. */
  single?: boolean;
}) {
  const name = useId();
  const toggle = (value: string, on: boolean) => {
    if (props.single) return props.set([value]);
    return props.set(on ? [...props.chosen, value] : props.chosen.filter((other) => other !== value));
  };
  return (
    <fieldset>
      <legend className="mb-1 font-medium">{props.label}</legend>
      {props.help && <p className="mb-1.5 text-sm text-ink-2">{props.help}</p>}
      <div className="divide-y divide-line rounded-md border border-line-strong bg-surface">
        {props.options.map((option) => (
          <label key={option.value} className="flex cursor-pointer gap-2.5 px-3 py-2 hover:bg-hover/60">
            <input
              type={props.single ? "radio" : "checkbox"}
              name={name}
              className="mt-0.5 size-4 accent-accent"
              checked={props.chosen.includes(option.value)}
              onChange={(event) => toggle(option.value, event.target.checked)}
            />
            <span className="min-w-0">
              <span className="block">{option.title}</span>
              {option.text && <span className="block text-sm text-ink-2">{option.text}</span>}
            </span>
          </label>
        ))}
        {props.options.length === 0 && <p className="px-3 py-2 text-ink-2">There is nothing to choose from yet.</p>}
      </div>
    </fieldset>
  );
}

/** Goes to an address when something is done; what stands in a form is not asked for, because it is saved or its thing is gone. */
export function useGo(): (to: string) => void {
  const navigate = useNavigate();
  return (to) => void navigate({ to, ignoreBlocker: true });
}
