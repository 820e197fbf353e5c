import type { Schemas } from "@gateline/api-client";
import { FormPanel, SelectField, TextArea, TextField, figure, nameOf, useForm } from "@gateline/ui";
import { RateFields } from "./rate-fields";

type Spec = Schemas["PlanSpec"];
type Change = Omit<Required<Schemas["PlanPatch"]>, "managed_by">;

/** What a plan's form holds: texts, as they are typed. */
interface Values {
  title: string;
  name: string;
  description: string;
  requests: string;
  window_seconds: string;
  burst: string;
  algorithm: string;
  rate_over: Over;
  quota: string;
  period: string;
  quota_over: Over;
  concurrent: string;
  costs: Record<Tier, string>;
  away: string;
  availability: string;
  latency: string;
  price: string;
  currency: string;
  keys_max: string;
}

/** What becomes of calls over a limit, as it is typed. */
interface Over {
  mode: string;
  from_percent: string;
  delay_ms_max: string;
}

const TIERS = ["cheap", "moderate", "expensive"] as const;
type Tier = (typeof TIERS)[number];
/** What tiers cost unless a plan says otherwise. */
const TIER_COSTS: Record<Tier, number> = { cheap: 1, moderate: 5, expensive: 25 };

const MODES: [string, string][] = [
  ["enforce", "Refuse"],
  ["warn", "Let pass and warn"],
  ["slow_down", "Slow down"],
  ["degrade", "Let pass and tell the service"],
];

/** Fields that the mode does not use go back to their defaults, which the API asks for. */
function overOf({ mode, from_percent, delay_ms_max }: Over): Schemas["OverLimit"] {
  return {
    mode: mode as Schemas["Mode"],
    from_percent: mode === "enforce" ? 100 : (figure(from_percent) ?? 100),
    delay_ms_max: mode === "slow_down" ? (figure(delay_ms_max) ?? 1000) : 1000,
  };
}

function typedOf(over: Schemas["OverLimit"] | undefined): Over {
  return {
    mode: over?.mode ?? "enforce",
    from_percent: String(over?.from_percent ?? 100),
    delay_ms_max: String(over?.delay_ms_max ?? 1000),
  };
}

/** The burst; a merge patch removes it by `null`, which the type of the whole limit does not know. */
const burstOf = ({ algorithm, burst }: Values) => ((algorithm === "gcra" ? figure(burst) : undefined) ?? null) as number | undefined;

/** The tiers' costs, or `null` if none was typed. */
function costsOf(costs: Values["costs"]): Schemas["TierCosts"] | null {
  if (TIERS.every((tier) => costs[tier].trim() === "")) {
    return null;
  }
  const cost = (tier: Tier) => figure(costs[tier]) ?? TIER_COSTS[tier];
  return { cheap: cost("cheap"), moderate: cost("moderate"), expensive: cost("expensive") };
}

/** Cents; what is no number stays as it was typed. */
const minor = (price: number) => (typeof price === "number" ? Math.round(price * 100) : price);

/** What is promised, or `null` if nothing was typed; shares are typed in percent. */
function levelOf({ availability, latency }: Values): Schemas["ServiceLevel"] | null {
  const [percent, millis] = [figure(availability), figure(latency)];
  if (percent === undefined && millis === undefined) return null;
  const share = typeof percent === "number" ? Number((percent / 100).toFixed(7)) : percent;
  return { availability: share ?? null, latency_p95_ms: millis ?? null } as Schemas["ServiceLevel"];
}

/** A plan as the API wants it; `null` removes a limit when a plan is changed. */
function specOf(values: Values): Change {
  const [requests, quota, price] = [figure(values.requests), figure(values.quota), figure(values.price)];
  return {
    name: values.name,
    title: values.title,
    description: values.description,
    rate_limit:
      requests === undefined
        ? null
        : {
            requests,
            window_seconds: Number(values.window_seconds),
            burst: burstOf(values),
            algorithm: values.algorithm as Schemas["RateAlgorithm"],
            over_limit: overOf(values.rate_over),
          },
    quota:
      quota === undefined
        ? null
        : { requests: quota, period: values.period as Schemas["Period"], over_limit: overOf(values.quota_over) },
    concurrent_calls_max: figure(values.concurrent) ?? null,
    tier_costs: costsOf(values.costs),
    when_store_is_away: values.away as Schemas["WhenStoreIsAway"],
    service_level: levelOf(values),
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
    burst: String(plan?.rate_limit?.burst ?? ""),
    algorithm: plan?.rate_limit?.algorithm ?? "gcra",
    rate_over: typedOf(plan?.rate_limit?.over_limit),
    quota: plan ? String(plan.quota?.requests ?? "") : "100000",
    period: plan?.quota?.period ?? "month",
    quota_over: typedOf(plan?.quota?.over_limit),
    concurrent: String(plan?.concurrent_calls_max ?? ""),
    costs: {
      cheap: String(plan?.tier_costs?.cheap ?? ""),
      moderate: String(plan?.tier_costs?.moderate ?? ""),
      expensive: String(plan?.tier_costs?.expensive ?? ""),
    },
    away: plan?.when_store_is_away ?? "local_share",
    availability: plan?.service_level?.availability ? String(Number((100 * plan.service_level.availability).toFixed(5))) : "",
    latency: String(plan?.service_level?.latency_p95_ms ?? ""),
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
        <RateFields values={values} set={set} help="Calls per window and application. Empty: no limit." />
        <SelectField
          label="Counted"
          pointer="/rate_limit/algorithm"
          value={values.algorithm}
          set={(algorithm) => set({ algorithm })}
          options={[
            ["gcra", "Evenly, with a burst"],
            ["sliding_window", "In a sliding window"],
          ]}
        />
        {values.algorithm === "gcra" && (
          <TextField
            label="Burst"
            optional
            pointer="/rate_limit/burst"
            help="Calls that may come at once. Empty: as many as in a window."
            value={values.burst}
            set={(burst) => set({ burst })}
          />
        )}
        <OverFields
          of="rate limit"
          pointer="/rate_limit/over_limit"
          modes={MODES}
          value={values.rate_over}
          set={(rate_over) => set({ rate_over })}
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
        <OverFields
          of="quota"
          pointer="/quota/over_limit"
          modes={MODES.filter(([mode]) => mode !== "slow_down")}
          value={values.quota_over}
          set={(quota_over) => set({ quota_over })}
        />
        <TextField
          label="Calls at a time"
          optional
          pointer="/concurrent_calls_max"
          help="Open calls of a subscription on each gateway node. Empty: no bound."
          value={values.concurrent}
          set={(concurrent) => set({ concurrent })}
        />
        {TIERS.map((tier) => (
          <TextField
            key={tier}
            label={`Cost of ${tier === "cheap" ? "a cheap" : tier === "moderate" ? "a moderate" : "an expensive"} call`}
            optional
            pointer={`/tier_costs/${tier}`}
            help={`For how many calls it counts. Empty: ${TIER_COSTS[tier]}.`}
            value={values.costs[tier]}
            set={(cost) => set({ costs: { ...values.costs, [tier]: cost } })}
          />
        ))}
        <SelectField
          label="Without the limits' store"
          pointer="/when_store_is_away"
          help="What holds while the store, over which several gateway nodes count together, is away."
          value={values.away}
          set={(away) => set({ away })}
          options={[
            ["local_share", "Each node allows its share"],
            ["local", "Each node allows the whole limit"],
            ["open", "The limit does not hold"],
            ["closed", "Calls are refused"],
          ]}
        />
        <TextField
          label="Promised availability in percent"
          optional
          pointer="/service_level/availability"
          help="Calls that do not fail. Empty: no promise. The report about service levels tells whether it was kept."
          value={values.availability}
          set={(availability) => set({ availability })}
        />
        <TextField
          label="Promised latency in milliseconds"
          optional
          pointer="/service_level/latency_p95_ms"
          help="95 % of the calls are as fast. Empty: no promise."
          value={values.latency}
          set={(latency) => set({ latency })}
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

/** What becomes of calls over a limit. */
function OverFields(props: { of: string; pointer: string; modes: [string, string][]; value: Over; set: (over: Over) => void }) {
  const { value, set } = props;
  return (
    <>
      <SelectField
        label={`Over the ${props.of}`}
        pointer={`${props.pointer}/mode`}
        value={value.mode}
        set={(mode) => set({ ...value, mode })}
        options={props.modes}
      />
      {value.mode !== "enforce" && (
        <TextField
          label={`From percent of the ${props.of}`}
          pointer={`${props.pointer}/from_percent`}
          help="Below 100, calls over the whole limit are refused. With 100, none is."
          value={value.from_percent}
          set={(from_percent) => set({ ...value, from_percent })}
        />
      )}
      {value.mode === "slow_down" && (
        <TextField
          label="Longest delay in milliseconds"
          pointer={`${props.pointer}/delay_ms_max`}
          help="Calls that would wait longer are refused."
          value={value.delay_ms_max}
          set={(delay_ms_max) => set({ ...value, delay_ms_max })}
        />
      )}
    </>
  );
}
