import type { Schemas } from "@gateline/api-client";
import { FormPanel, SelectField, TextArea, TextField, figure, nameOf, useForm } from "@gateline/ui";

type Spec = Schemas["PlanSpec"];
type Change = Omit<Required<Schemas["PlanPatch"]>, "managed_by">;

/** What a plan's form holds: texts, as they are typed. */
interface Values {
  title: string;
  name: string;
  description: string;
  requests: string;
  window_seconds: string;
  quota: string;
  period: string;
  price: string;
  currency: string;
  keys_max: string;
}

/** Cents; what is no number stays as it was typed. */
const minor = (price: number) => (typeof price === "number" ? Math.round(price * 100) : price);

/** A plan as the API wants it; `null` removes a limit when a plan is changed. */
function specOf(values: Values): Change {
  const [requests, quota, price] = [figure(values.requests), figure(values.quota), figure(values.price)];
  return {
    name: values.name,
    title: values.title,
    description: values.description,
    rate_limit: requests === undefined ? null : { requests, window_seconds: Number(values.window_seconds) },
    quota: quota === undefined ? null : { requests: quota, period: values.period as Schemas["Period"] },
    price: price === undefined ? null : { amount_minor: minor(price), currency: values.currency },
    keys_max: figure(values.keys_max) ?? 10,
  };
}

function valuesOf(plan: Spec | undefined): Values {
  return {
    title: plan?.title ?? "",
    name: plan?.name ?? "",
    description: plan?.description ?? "",
    requests: plan ? String(plan.rate_limit?.requests ?? "") : "100",
    window_seconds: String(plan?.rate_limit?.window_seconds ?? 60),
    quota: plan ? String(plan.quota?.requests ?? "") : "100000",
    period: plan?.quota?.period ?? "month",
    price: plan?.price ? String(plan.price.amount_minor / 100) : "",
    currency: plan?.price?.currency ?? "EUR",
    keys_max: String(plan?.keys_max ?? 10),
  };
}

/** The form of a plan, new or changed. */
export function PlanForm(props: {
  plan?: Spec;
  submit: string;
  cancel: string;
  send: (spec: Change) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const form = useForm({
    initial: valuesOf(props.plan),
    send: (values) => props.send(specOf(values)),
    after: (plan) => props.after(plan.id),
  });
  const { values, set } = form;
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        help="What consumers read in the portal."
        value={values.title}
        set={(title) => set(values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField
        label="Name"
        pointer="/name"
        mono
        help="Lower-case letters, digits and hyphens. Stands in files and commands."
        value={values.name}
        set={(name) => set({ name })}
      />
      <TextArea label="Description" optional pointer="/description" help="CommonMark." value={values.description} set={(description) => set({ description })} />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <TextField
          label="Rate limit"
          optional
          pointer="/rate_limit/requests"
          help="Calls per window and application. Empty: no limit."
          value={values.requests}
          set={(requests) => set({ requests })}
        />
        <SelectField
          label="Window"
          pointer="/rate_limit/window_seconds"
          value={values.window_seconds}
          set={(window_seconds) => set({ window_seconds })}
          options={[
            ["1", "Second"],
            ["60", "Minute"],
            ["3600", "Hour"],
            ["86400", "Day"],
          ]}
        />
        <TextField
          label="Quota"
          optional
          pointer="/quota/requests"
          help="Calls per calendar period (UTC) and subscription. Refused calls do not count."
          value={values.quota}
          set={(quota) => set({ quota })}
        />
        <SelectField
          label="Period"
          pointer="/quota/period"
          value={values.period}
          set={(period) => set({ period })}
          options={[
            ["hour", "Hour"],
            ["day", "Day"],
            ["month", "Month"],
          ]}
        />
        <TextField label="Price per month" optional pointer="/price/amount_minor" help="Empty: free." value={values.price} set={(price) => set({ price })} />
        <SelectField
          label="Currency"
          pointer="/price/currency"
          value={values.currency}
          set={(currency) => set({ currency })}
          options={["EUR", "USD", "GBP", "CHF"].map((each) => [each, each])}
        />
        <TextField
          label="Keys per application"
          pointer="/keys_max"
          help="1 to 100. Two are enough to rotate."
          value={values.keys_max}
          set={(keys_max) => set({ keys_max })}
        />
      </div>
    </FormPanel>
  );
}
