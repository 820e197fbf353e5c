/** The builder of conditions: tests of attributes in groups of which all or any must hold, each of them turned round or not. */
import { read } from "@gateline/api-client";
import { Button, RowList, Said, usePause, useWrong } from "@gateline/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { type Condition, type Gate, type Operator, type Span, type Test, UNIT } from "../model";
import { operators } from "../words";
import { GateFields } from "./gate";
import { AttributeField, MomentField, Small } from "./small";
import { ManyValues, OneValue } from "./values";

const empty = (): Condition => ({ attribute: "", op: "in", values: [] });
const emptyGroup = (): Condition => ({ any: [empty()] });

type Join = "all" | "any";

const joins: Record<Join, string> = { all: "All of these hold", any: "At least one of these holds" };
/** What a group without a condition means. */
const without: Record<Join, string> = { all: "Without a condition, everybody fits.", any: "Without a condition, nobody fits." };

/** Parts of which all or any must hold. */
interface Group {
  join: Join;
  parts: Condition[];
}

const groupOf = (condition: Condition): Group | undefined =>
  "all" in condition ? { join: "all", parts: condition.all } : "any" in condition ? { join: "any", parts: condition.any } : undefined;

const joined = ({ join, parts }: Group): Condition => (join === "all" ? { all: parts } : { any: parts });

/** Whom a rule fits; everybody without a condition. */
export function WhenEditor(props: { when: Condition | undefined; set: (when: Condition | undefined) => void; pointer: string; everybody?: string }) {
  const { when, set, pointer } = props;
  const group = when && groupOf(when);
  // A single condition stands for itself until another one comes beside it.
  const shown: Group = group ?? { join: "all", parts: when ? [when] : [] };
  const change = ({ join, parts }: Group) => {
    if (parts.length === 0) set(undefined);
    else set(group || parts.length > 1 ? joined({ join, parts }) : parts[0]);
  };
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm text-ink-2">{when ? "When" : (props.everybody ?? "When: always, it fits everybody")}</legend>
      <Wrong pointer={pointer} shown={!when || group !== undefined} />
      <Parts group={shown} change={change} pointer={pointer} bare={!group} label="conditions" />
    </fieldset>
  );
}

/** What is wrong with a condition that has no field of its own. */
function Wrong({ pointer, shown = true }: { pointer: string; shown?: boolean }) {
  const wrong = useWrong(pointer);
  if (!wrong || !shown) return null;
  return (
    <p className="mb-1.5 text-sm text-bad" data-wrong="" tabIndex={-1}>
      <Said text={wrong} />
    </p>
  );
}

function Parts(props: { group: Group; change: (group: Group) => void; pointer: string; label: string; bare?: boolean }) {
  const { group, change, pointer } = props;
  const { join, parts } = group;
  const add = (condition: Condition) => change({ join, parts: [...parts, condition] });
  return (
    <div className="space-y-2">
      {(!props.bare || parts.length > 1) && (
        <select aria-label="How they are joined" className="input w-auto" value={join} onChange={(event) => change({ join: event.target.value as Join, parts })}>
          {Object.entries(joins).map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      )}
      {!props.bare && parts.length === 0 && <p className="text-sm text-warn">{without[join]}</p>}
      <div className={props.bare ? "" : "border-l-2 border-line pl-1.5 sm:pl-3"}>
        <RowList
          label={props.label}
          count={parts.length}
          remove={(index) => change({ join, parts: parts.filter((_, place) => place !== index) })}
          add={() => add(empty())}
          adds="Add a condition"
          others={
            <>
              <Button small kind="plain" onClick={() => add({ segment: "" })}>
                Add a segment
              </Button>
              <Button small kind="plain" onClick={() => add({ during: {} })}>
                Add a span of time
              </Button>
              <Button small kind="plain" onClick={() => add({ share: { key: "", by: UNIT, parts: [[0, 50]] } })}>
                Add a share
              </Button>
              <Button small kind="plain" onClick={() => add({ element: "", fits: empty() })}>
                Add an entry of a list
              </Button>
              <Button small kind="plain" onClick={() => add(emptyGroup())}>
                Add a group
              </Button>
            </>
          }
          row={(index) => (
            <ConditionEditor
              condition={parts[index] ?? empty()}
              set={(next) => change({ join, parts: parts.map((each, place) => (place === index ? next : each)) })}
              pointer={props.bare ? pointer : `${pointer}/${join}/${index}`}
            />
          )}
        />
      </div>
    </div>
  );
}

interface Props {
  condition: Condition;
  set: (condition: Condition) => void;
  pointer: string;
}

/** A small button that is on or off. */
function Toggle(props: { sign: string; label: string; title?: string; on: boolean; press: () => void }) {
  return (
    <Button
      small
      kind={props.on ? "secondary" : "plain"}
      aria-pressed={props.on}
      aria-label={props.label}
      title={props.title ?? props.label}
      className={`mt-0.5 ${props.on ? "border-accent! text-accent!" : ""}`}
      onClick={props.press}
    >
      {props.sign}
    </Button>
  );
}

/** One condition, which can be turned round. */
function ConditionEditor({ condition, set, pointer }: Props) {
  const negated = "not" in condition;
  const inner = negated ? condition.not : condition;
  const change = (next: Condition) => set(negated ? { not: next } : next);
  return (
    <div className="flex min-w-0 flex-1 basis-64 items-start gap-2">
      <Toggle sign="Not" label="Not" title="It must not hold" on={negated} press={() => set(negated ? inner : { not: condition })} />
      <Inner condition={inner} set={change} pointer={negated ? `${pointer}/not` : pointer} />
    </div>
  );
}

function Inner({ condition, set, pointer }: Props) {
  const group = groupOf(condition);
  if (group) {
    return (
      <div className="min-w-0 flex-1 rounded-md border border-line bg-bg p-1.5 sm:p-2.5">
        <Wrong pointer={pointer} />
        <Parts group={group} change={(next) => set(joined(next))} pointer={pointer} label="conditions of the group" />
      </div>
    );
  }
  if ("not" in condition) return <ConditionEditor condition={condition} set={set} pointer={pointer} />;
  if ("segment" in condition) return <SegmentRow segment={condition.segment} set={(segment) => set({ segment })} pointer={pointer} />;
  if ("during" in condition) return <SpanRow span={condition.during} set={(during) => set({ during })} pointer={`${pointer}/during`} />;
  if ("share" in condition) return <ShareRow share={condition.share} set={(share) => set({ share })} pointer={`${pointer}/share`} />;
  if ("element" in condition) return <ElementRow condition={condition} set={set} pointer={pointer} />;
  return <TestRow test={condition as Test} set={set} pointer={pointer} />;
}

/** A share of all units for which it holds. */
function ShareRow({ share, set, pointer }: { share: Gate; set: (share: Gate) => void; pointer: string }) {
  return (
    <div className="min-w-0 flex-1 rounded-md border border-line bg-bg p-1.5 sm:p-2.5">
      <Wrong pointer={pointer} />
      <p className="mb-1.5 text-sm text-ink-2">in a share of all</p>
      <GateFields gate={share} set={set} pointer={pointer} />
    </div>
  );
}

/** What must hold of one entry of a list: its comparisons are of the same attribute. */
function ElementRow({ condition, set, pointer }: { condition: Extract<Condition, { element: string }> } & Omit<Props, "condition">) {
  const { element, fits } = condition;
  return (
    <div className="min-w-0 flex-1 rounded-md border border-line bg-bg p-1.5 sm:p-2.5">
      <Wrong pointer={pointer} />
      <AttributeField label="An entry of the list" pointer={`${pointer}/element`} value={element} set={(name) => set({ element: name, fits: ofList(fits, name) })} />
      <p className="my-1.5 text-sm text-ink-2">for which</p>
      <ConditionEditor condition={fits} set={(next) => set({ element, fits: next })} pointer={`${pointer}/fits`} />
    </div>
  );
}

/** The condition on the entries of another list. */
function ofList(condition: Condition, name: string): Condition {
  if ("all" in condition) return { all: condition.all.map((each) => ofList(each, name)) };
  if ("any" in condition) return { any: condition.any.map((each) => ofList(each, name)) };
  if ("not" in condition) return { not: ofList(condition.not, name) };
  return "attribute" in condition ? { ...condition, attribute: name } : condition;
}

/** A span of time in which it holds; one end may be open. */
function SpanRow({ span, set, pointer }: { span: Span; set: (span: Span) => void; pointer: string }) {
  const change = (end: keyof Span, moment: string | undefined) => {
    const { [end]: _, ...other } = span;
    set(moment === undefined ? other : { ...other, [end]: moment });
  };
  return (
    <div className="min-w-0 flex-1">
      <Wrong pointer={pointer} />
      <div className="flex flex-wrap items-start gap-2">
        <MomentField label="Not before" pointer={`${pointer}/from`} value={span.from} set={(moment) => change("from", moment)} />
        <MomentField label="Before" pointer={`${pointer}/until`} value={span.until} set={(moment) => change("until", moment)} />
      </div>
    </div>
  );
}

/** The key of a segment; those whose key or title has what was typed are offered. */
function SegmentRow(props: { segment: string; set: (segment: string) => void; pointer: string }) {
  const list = useId();
  const [asked, setAsked] = useState("");
  usePause(props.segment, asked, setAsked);
  const query = useQuery({ ...read("/api/v1/segments", { params: { query: { limit: 20, ...(asked ? { q: asked } : {}) } } }), placeholderData: keepPreviousData });
  return (
    <div className="flex min-w-0 flex-1 items-start gap-2">
      <span className="py-1.5 text-sm whitespace-nowrap text-ink-2">in the segment</span>
      <Small bare label="Segment" pointer={`${props.pointer}/segment`}>
        {(attributes) => (
          <>
            <input
              {...attributes}
              className="input font-mono text-sm"
              list={list}
              autoComplete="off"
              spellCheck={false}
              placeholder="Key of the segment"
              value={props.segment}
              onChange={(event) => props.set(event.target.value)}
            />
            <datalist id={list}>
              {(query.data?.data ?? []).map((segment) => (
                <option key={segment.key} value={segment.key}>
                  {segment.title}
                </option>
              ))}
            </datalist>
          </>
        )}
      </Small>
    </div>
  );
}

const groups = [...new Set(Object.values(operators).map((words) => words.group))];
const options = groups.map((group) => ({ group, of: Object.entries(operators).filter(([, words]) => words.group === group) }));

/** Values of these are texts of any kind, in which a comma may stand. */
const FREE = new Set<Operator>(["starts_with", "ends_with", "contains", "matches"]);

const isOfVersions = (op: Operator): boolean => operators[op].group === "Version";

/** The test with another operator; what the new one does not take goes. */
function withOperator(test: Test, op: Operator): Test {
  const { takes, letters } = operators[op];
  const { values = [], ignore_case, text_only, short, attribute } = test;
  const kept = takes === "none" ? [] : takes === "one" ? values.slice(0, 1) : values;
  const marks = { ...(letters && ignore_case ? { ignore_case } : {}), ...(text_only ? { text_only } : {}), ...(isOfVersions(op) && short ? { short } : {}) };
  return { attribute, op, ...(takes === "none" ? {} : { values: kept }), ...marks };
}

/** The test with one of its marks turned round. */
function turned(test: Test, mark: "ignore_case" | "text_only" | "short"): Test {
  const { [mark]: was, ...rest } = test;
  return was ? rest : { ...rest, [mark]: true };
}

function TestRow({ test, set, pointer }: { test: Test; set: (test: Test) => void; pointer: string }) {
  const words = operators[test.op];
  const values = {
    label: `Value of ${test.attribute || "the attribute"}`,
    pointer: `${pointer}/values`,
    values: test.values ?? [],
    set: (next: string[]) => set({ ...test, values: next }),
    placeholder: words.example,
  };
  return (
    <div className="min-w-0 flex-1">
      <Wrong pointer={pointer} />
      <div className="flex flex-wrap items-start gap-2">
        <AttributeField bare className="flex-[1_1_8rem]" label="Attribute" pointer={`${pointer}/attribute`} value={test.attribute} set={(attribute) => set({ ...test, attribute })} />
        <Small bare className="flex-[0_1_10.5rem]" label="Comparison" pointer={`${pointer}/op`}>
          {(attributes) => (
            <select {...attributes} className="input" value={test.op} onChange={(event) => set(withOperator(test, event.target.value as Operator))}>
              {options.map(({ group, of }) => (
                <optgroup key={group} label={group}>
                  {of.map(([op, { title }]) => (
                    <option key={op} value={op}>
                      {title}
                    </option>
                  ))}
                </optgroup>
              ))}
            </select>
          )}
        </Small>
        {words.takes === "many" && <ManyValues {...values} commas={!FREE.has(test.op)} />}
        {words.takes === "one" && <OneValue {...values} />}
        {words.letters && (
          <Toggle sign="Aa" label="Capitals make no difference" on={test.ignore_case ?? false} press={() => set(turned(test, "ignore_case"))} />
        )}
        {isOfVersions(test.op) && (
          <Toggle sign="Short" label="Short versions" title="A version may leave out its last numbers: 2 and 2.0 are 2.0.0" on={test.short ?? false} press={() => set(turned(test, "short"))} />
        )}
        {(words.letters || test.text_only) && (
          <Toggle sign="“ ”" label="Texts only" title="Texts only: a number, a boolean or a list is as if it were not there" on={test.text_only ?? false} press={() => set(turned(test, "text_only"))} />
        )}
      </div>
    </div>
  );
}
