/** What comes before the rules: other flags that this one needs, and variants of single units. */
import { read } from "@gateline/api-client";
import { RowList, Said, useWrong, usePause } from "@gateline/ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { type Override, type Prerequisite, UNIT, variantsOf } from "../model";
import { AttributeField, Small, VariantField } from "./small";
import { ManyValues } from "./values";

interface Props<T> {
  of: T[];
  set: (of: T[]) => void;
  pointer: string;
}

/** What other flags must give. */
export function PrerequisitesEditor({ of, set, pointer, self }: Props<Prerequisite> & { self: string }) {
  return (
    <RowList
      label="prerequisites"
      count={of.length}
      remove={(index) => set(of.toSpliced(index, 1))}
      add={() => set([...of, { flag: "", variants: [] }])}
      adds="Add a prerequisite"
      row={(index) => (
        <PrerequisiteFields of={of[index] ?? { flag: "", variants: [] }} set={(next) => set(of.with(index, next))} pointer={`${pointer}/${index}`} self={self} />
      )}
    />
  );
}

function PrerequisiteFields(props: { of: Prerequisite; set: (of: Prerequisite) => void; pointer: string; self: string }) {
  const { of, set, pointer } = props;
  const list = useId();
  const [asked, setAsked] = useState("");
  usePause(of.flag, asked, setAsked);
  const offered = useQuery({ ...read("/api/v1/feature-flags", { params: { query: { limit: 20, ...(asked ? { q: asked } : {}) } } }), placeholderData: keepPreviousData });
  const found = useQuery({ ...read("/api/v1/feature-flags", { params: { query: { "filter[key]": asked } } }), enabled: asked !== "" });
  const other = found.data?.data[0];
  const names = [...new Set([...(other ? Object.keys(variantsOf(other)) : []), ...of.variants])];
  const toggle = (name: string, on: boolean) => set({ ...of, variants: names.filter((each) => (each === name ? on : of.variants.includes(each))) });
  return (
    <div className="flex min-w-0 flex-1 flex-wrap items-start gap-x-4 gap-y-2">
      <Small label="Flag" pointer={`${pointer}/flag`}>
        {(attributes) => (
          <>
            <input
              {...attributes}
              className="input font-mono text-sm"
              list={list}
              autoComplete="off"
              spellCheck={false}
              placeholder="Key of the other flag"
              value={of.flag}
              onChange={(event) => set({ ...of, flag: event.target.value })}
            />
            <datalist id={list}>
              {(offered.data?.data ?? [])
                .filter((flag) => flag.key !== props.self)
                .map((flag) => (
                  <option key={flag.key} value={flag.key}>
                    {flag.title}
                  </option>
                ))}
            </datalist>
          </>
        )}
      </Small>
      <fieldset className="min-w-0 flex-[2_1_14rem]">
        <legend className="mb-1 text-sm text-ink-2">must give one of</legend>
        <div className="flex min-h-8.5 flex-wrap items-center gap-x-4 gap-y-1">
          {names.map((name) => (
            <label key={name} className="flex items-center gap-1.5">
              <input type="checkbox" className="size-4 accent-accent" checked={of.variants.includes(name)} onChange={(event) => toggle(name, event.target.checked)} />
              <code>{name}</code>
            </label>
          ))}
          {names.length === 0 && <span className="text-sm text-ink-2">{asked && found.isSuccess ? "There is no such flag." : "Choose the flag first."}</span>}
        </div>
        {of.variants.map((name, place) => (
          <WrongVariant key={name} pointer={`${pointer}/variants/${place}`} />
        ))}
      </fieldset>
    </div>
  );
}

function WrongVariant({ pointer }: { pointer: string }) {
  const wrong = useWrong(pointer);
  return wrong ? (
    <p className="text-sm text-bad" data-wrong="" tabIndex={-1}>
      <Said text={wrong} />
    </p>
  ) : null;
}

/** Variants of single units. */
export function OverridesEditor({ of, set, pointer, off }: Props<Override> & { off: string }) {
  const fresh = (): Override => ({ by: UNIT, values: [], serve: off });
  return (
    <RowList
      label="overrides"
      count={of.length}
      remove={(index) => set(of.toSpliced(index, 1))}
      add={() => set([...of, fresh()])}
      adds="Add an override"
      row={(index) => <OverrideFields of={of[index] ?? fresh()} set={(next) => set(of.with(index, next))} pointer={`${pointer}/${index}`} />}
    />
  );
}

function OverrideFields({ of, set, pointer }: { of: Override; set: (of: Override) => void; pointer: string }) {
  return (
    <div className="flex min-w-0 flex-1 flex-wrap items-start gap-2">
      <AttributeField bare className="flex-[1_1_8rem]" label="Attribute" pointer={`${pointer}/by`} value={of.by} set={(by) => set({ ...of, by })} />
      <span className="py-1.5 text-sm text-ink-2">is</span>
      <ManyValues label={`Values of ${of.by || "the attribute"}`} pointer={`${pointer}/values`} values={of.values} set={(values) => set({ ...of, values })} placeholder="tester-1" commas />
      <span className="py-1.5 text-sm text-ink-2">gets</span>
      <VariantField bare className="flex-[0_1_9rem]" label="Variant" pointer={`${pointer}/serve`} value={of.serve} set={(serve) => set({ ...of, serve })} />
    </div>
  );
}
