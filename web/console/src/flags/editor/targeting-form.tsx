/** The editor of who gets what in an environment: as a form, and as JSON beside it. */
import { Button, FormPanel, Section, parsed, print, useForm } from "@gateline/ui";
import { useAllWrong } from "@gateline/ui/form.tsx";
import type { Remark } from "@gateline/ui/editor.tsx";
import { placeOf, placeOfMistake } from "@gateline/ui/json-places.ts";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useMemo } from "react";
import { type Flag, type Targeting, attributesOf, variantsOf } from "../model";
import type { Changed } from "../proposals";
import { isTargeting } from "../shape";
import { problem } from "../variants";
import { OverridesEditor, PrerequisitesEditor } from "./needs";
import { OutcomeEditor } from "./outcome";
import { RulesEditor } from "./rules";
import { AttributeNames, VariantField, VariantsContext } from "./small";

const Editor = lazy(() => import("@gateline/ui/editor.tsx"));

/** What is edited; `text` is there from a change of the JSON to the next one of the form. */
interface Draft {
  targeting: Targeting;
  text?: string;
  /** Why the text is not what the form shows. */
  wrong?: string;
}

/** Takes over a change of the JSON; the form keeps what it shows until it can show the new. */
function readJson(text: string, before: Targeting): Draft {
  const read = parsed(text);
  if ("wrong" in read) return { targeting: before, text, wrong: read.wrong };
  if (!isTargeting(read.value)) return { targeting: before, text, wrong: "The form cannot show this. It is sent as it stands here, and the answer says what is wrong." };
  return { targeting: read.value, text };
}

/** What is sent: of JSON that the form cannot show, the JSON. */
function sent({ targeting, text, wrong }: Draft): Targeting {
  if (text === undefined || wrong === undefined) return targeting;
  const read = parsed(text);
  if ("wrong" in read) throw problem([{ pointer: "", detail: read.wrong }]);
  return read.value as Targeting;
}

interface Props {
  flag: Flag;
  environment: string;
  targeting: Targeting;
  cancel: string;
  send: (targeting: Targeting) => Promise<Changed>;
  after: (changed: Changed) => void;
}

/** The form. */
export function TargetingForm(props: Props) {
  const { flag, environment } = props;
  const search = useSearch({ strict: false }) as { json?: string };
  const navigate = useNavigate();
  const names = useMemo(() => Object.keys(variantsOf(flag)), [flag]);
  const form = useForm({
    initial: { draft: { targeting: props.targeting } as Draft },
    send: ({ draft }) => props.send(sent(draft)),
    after: props.after,
  });
  const { draft } = form.values;
  const shown = search.json !== undefined || draft.wrong !== undefined;
  const pointer = `/environments/${environment}`;
  const json = (
    <Button
      aria-pressed={shown}
      disabled={draft.wrong !== undefined}
      onClick={() => void navigate({ to: ".", search: { json: shown ? undefined : "1" } as never, replace: true })}
    >
      {shown ? "Hide the JSON" : "Show the JSON"}
    </Button>
  );
  return (
    <FormPanel form={form} submit="Save changes" cancel={props.cancel} wide beside={json}>
      <div className={shown ? "grid gap-6 xl:grid-cols-[minmax(0,1fr)_minmax(0,28rem)]" : ""}>
        {/* A disabled fieldset keeps the form from saying something else than the JSON beside it. */}
        <fieldset disabled={draft.wrong !== undefined} aria-label={`Who gets what in ${environment}`} className="min-w-0">
          <VariantsContext value={names}>
            <Fields flag={flag} targeting={draft.targeting} set={(targeting) => form.set({ draft: { targeting } })} pointer={pointer} />
          </VariantsContext>
        </fieldset>
        {shown && <Json draft={draft} set={(text) => form.set({ draft: readJson(text, draft.targeting) })} pointer={pointer} />}
      </div>
    </FormPanel>
  );
}

/** The targeting with or without a list. */
function withList<Name extends "prerequisites" | "overrides" | "rules">(targeting: Targeting, name: Name, list: NonNullable<Targeting[Name]>): Targeting {
  const { [name]: _, ...others } = targeting;
  return list.length === 0 ? (others as Targeting) : { ...targeting, [name]: list };
}

interface FieldsProps {
  flag: Flag;
  targeting: Targeting;
  set: (targeting: Targeting) => void;
  pointer: string;
}

function Fields({ flag, targeting, set, pointer }: FieldsProps) {
  const { off, prerequisites = [], overrides = [], rules = [], otherwise } = targeting;
  return (
    <>
      <Section title="While it is off" text="Everybody gets this variant; so do those whom a prerequisite or a missing attribute keeps out.">
        <VariantField bare className="max-w-sm" label="The variant of off" pointer={`${pointer}/off`} value={off} set={(next) => set({ ...targeting, off: next })} />
      </Section>
      <Section title="Prerequisites" text="What other flags must give before this one is looked at.">
        <PrerequisitesEditor of={prerequisites} set={(list) => set(withList(targeting, "prerequisites", list))} pointer={`${pointer}/prerequisites`} self={flag.key} />
      </Section>
      <Section title="Overrides" text="Variants of single units, for testers. They come before all rules.">
        <OverridesEditor of={overrides} set={(list) => set(withList(targeting, "overrides", list))} pointer={`${pointer}/overrides`} off={off} />
      </Section>
      <Section title="Rules" text="The first that fits decides.">
        <RulesEditor rules={rules} set={(list) => set(withList(targeting, "rules", list))} pointer={`${pointer}/rules`} off={off} self={flag.key} />
      </Section>
      <Section title="Everybody else" text="Those whom no rule fits.">
        <OutcomeEditor outcome={otherwise} set={(next) => set({ ...targeting, otherwise: next })} pointer={`${pointer}/otherwise`} off={off} />
      </Section>
      <AttributeNames used={[...attributesOf(targeting), ...Object.values(flag.environments).flatMap(attributesOf)]} />
    </>
  );
}

/** What is wrong with a text: that it is no JSON, or what was said of its values. */
function remarksOn(text: string, said: { pointer: string; detail: string }[]): Remark[] {
  const read = parsed(text);
  if ("wrong" in read) return [{ ...placeOfMistake(read.wrong, text), severity: "error", text: read.wrong }];
  return said.map((each) => ({ ...placeOf(text, each.pointer), severity: "error", text: each.detail }));
}

/** The same as JSON; what is wrong is marked where it stands. */
function Json({ draft, set, pointer }: { draft: Draft; set: (text: string) => void; pointer: string }) {
  const said = useAllWrong(pointer);
  const text = draft.text ?? print(draft.targeting);
  const remarks = remarksOn(
    text,
    said.map((each) => ({ pointer: each.pointer.slice(pointer.length), detail: each.detail })),
  );
  return (
    <div className="min-w-0 xl:sticky xl:top-6 xl:self-start">
      <div className="h-[calc(100vh-9rem)] min-h-80">
        <Suspense fallback={null}>
          <Editor value={text} set={set} remarks={remarks} label="Who gets what, as JSON" />
        </Suspense>
      </div>
      <p className={`mt-2 text-sm ${draft.wrong ? "text-warn" : "text-ink-2"}`} role="status">
        {draft.wrong ?? "The form and the JSON say the same: change either."}
      </p>
    </div>
  );
}
