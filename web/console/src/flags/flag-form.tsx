/** What is said of a flag for all environments: its form, new or changed. */
import { ChoiceField, ExpiryField, FormPanel, SelectField, TextArea, TextField, expiryOf, momentOf, useForm } from "@gateline/ui";
import type { Schemas } from "@gateline/api-client";
import { type Flag, type FlagType, beginning, variantsOf } from "./model";
import type { Changed } from "./proposals";
import { type VariantRow, firstRows, typedOf, valuesOf } from "./variants";
import { VariantsField } from "./variants-field";

const TYPES: [FlagType, string][] = [
  ["boolean", "Boolean: on or off"],
  ["string", "String: texts"],
  ["number", "Number"],
  ["json", "JSON: anything"],
];

/** What the form sends; `environments` is only there for a new flag. */
export interface FlagChange {
  key: string;
  title: string;
  description: string;
  type: FlagType;
  variants: Record<string, unknown>;
  environments: Schemas["FeatureFlagSpec"]["environments"];
  client_side: boolean;
  tags: string[];
  owner: string;
  /** `null` takes it away. */
  expires_at: string | null;
}

const words = (text: string): string[] =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);

/** The form. */
export function FlagForm(props: {
  flag?: Flag;
  /** The environments in which a new flag can begin. */
  environments?: string[];
  submit: string;
  cancel: string;
  send: (change: FlagChange) => Promise<Changed>;
  after: (changed: Changed) => void;
}) {
  const { flag } = props;
  const begun = expiryOf(flag?.expires_at);
  const form = useForm({
    initial: {
      key: flag?.key ?? "",
      title: flag?.title ?? "",
      description: flag?.description ?? "",
      type: flag?.type ?? ("boolean" as FlagType),
      rows: flag ? typedOf(variantsOf(flag), flag.type) : firstRows.boolean,
      chosen: props.environments ?? [],
      off: "off",
      client_side: flag?.client_side ?? true,
      tags: flag?.tags.join(", ") ?? "",
      owner: flag?.owner ?? "",
      expiry: begun,
    },
    send: ({ rows, chosen, off, tags, expiry, ...rest }) => {
      // The form knows minutes; an end that was not touched keeps its seconds.
      const kept = expiry.ends === begun.ends && expiry.at === begun.at;
      return props.send({
        ...rest,
        variants: valuesOf(rows, rest.type),
        environments: Object.fromEntries(chosen.map((name) => [name, beginning(off)])),
        tags: words(tags),
        expires_at: (kept ? flag?.expires_at : momentOf(expiry)) ?? null,
      });
    },
    after: props.after,
  });
  const { values, set } = form;
  const setRows = (rows: VariantRow[]) => set({ rows, off: rows.some((row) => row.name === values.off) ? values.off : (rows[0]?.name ?? "") });
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      {!flag && (
        <TextField
          label="Key"
          pointer="/key"
          mono
          placeholder="new-checkout"
          help="What programs ask for: letters, digits, - _ . and ~. It cannot be changed."
          value={values.key}
          set={(key) => set({ key })}
        />
      )}
      <TextField label="Title" optional pointer="/title" help="What people read." value={values.title} set={(title) => set({ title })} />
      <TextArea
        label="Description"
        optional
        pointer="/description"
        help="What it switches, and until when it is needed. CommonMark."
        rows={3}
        value={values.description}
        set={(description) => set({ description })}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <TextField label="Owner" optional pointer="/owner" help="Who answers for it: a person, a team, an address." value={values.owner} set={(owner) => set({ owner })} />
        <TextField label="Tags" optional pointer="/tags" help="Words to find it by, with commas between them." value={values.tags} set={(tags) => set({ tags })} />
      </div>
      <ExpiryField
        label="To be gone from the programs"
        help="A plan for its end. It goes on to be answered after that."
        value={values.expiry}
        set={(expiry) => set({ expiry })}
      />
      {!flag && (
        <SelectField
          label="Type"
          pointer="/type"
          help="What values it has. It cannot be changed."
          value={values.type}
          set={(type) => set({ type: type as FlagType, rows: firstRows[type as FlagType], off: "off" })}
          options={TYPES}
        />
      )}
      <VariantsField key={values.type} type={values.type} rows={values.rows} set={setRows} />
      {props.environments && (
        <>
          <ChoiceField
            label="Environments"
            help="Where it is to be there from the start. Elsewhere programs use their own default."
            options={props.environments.map((name) => ({ value: name, title: name }))}
            chosen={values.chosen}
            set={(chosen) => set({ chosen })}
          />
          <SelectField
            label="Everybody gets"
            pointer="/environments"
            help="At first, and whenever it is off."
            value={values.off}
            set={(off) => set({ off })}
            options={values.rows.filter((row) => row.name !== "").map((row) => [row.name, row.name])}
          />
        </>
      )}
      <ChoiceField
        label="Pages and apps"
        single
        help="The key of a page or app can be read by everybody. It is told values, never rules."
        options={[
          { value: "yes", title: "May ask for it" },
          { value: "no", title: "May not ask for it", text: "Only servers can." },
        ]}
        chosen={[values.client_side ? "yes" : "no"]}
        set={([chosen]) => set({ client_side: chosen === "yes" })}
      />
    </FormPanel>
  );
}
