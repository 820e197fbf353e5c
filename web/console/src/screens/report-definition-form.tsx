import type { Schemas } from "@gateline/api-client";
import { FormPanel, RowList, SelectField, TextField, figure, nameOf, useForm, useWrong } from "@gateline/ui";
import { filtersOf } from "../filters";

type Spec = Omit<Schemas["ReportDefinitionSpec"], "managed_by">;
type Part = Spec["parts"][number];
type Measure = Schemas["Measure"];
type Dimension = Schemas["Dimension"];

const measures: [Measure, string][] = [
  ["calls", "Calls"],
  ["counted", "Counted calls"],
  ["refused", "Refused"],
  ["client_errors", "Client errors"],
  ["server_errors", "Server errors"],
  ["error_rate", "Failed"],
  ["latency_total_us", "Time of all calls"],
  ["latency_mean_us", "Mean latency"],
  ["latency_p50_us", "Half within"],
  ["latency_p90_us", "90 % within"],
  ["latency_p95_us", "95 % within"],
  ["latency_p99_us", "99 % within"],
  ["bytes_in", "Received"],
  ["bytes_out", "Sent"],
  ["applications", "Applications"],
];

const dimensions: [Dimension | "", string][] = [
  ["", "–"],
  ["api", "API"],
  ["version", "Version"],
  ["operation", "Operation"],
  ["consumer", "Organization"],
  ["application", "Application"],
  ["plan", "Plan"],
  ["target", "Target"],
  ["variant", "Variant"],
  ["status", "Status"],
  ["status_class", "Class of status"],
  ["code", "Error code"],
  ["side", "Who decided"],
];

type Kind = "figures" | "table" | "course";

const kinds: [Kind, string][] = [
  ["figures", "Single numbers"],
  ["table", "A table"],
  ["course", "A course over time"],
];

/** A section as it is typed. */
interface Typed {
  name: string;
  title: string;
  text: string;
  kind: Kind;
  measures: Measure[];
  dimensions: (Dimension | "")[];
  top: string;
  filters: string;
}

const fresh: Typed = { name: "", title: "", text: "", kind: "table", measures: ["calls"], dimensions: ["operation", "", ""], top: "8", filters: "" };

function typedOf(part: Part): Typed {
  const [first = "", second = "", third = ""] = part.dimensions ?? [];
  return {
    name: part.name,
    title: part.title,
    text: part.text ?? "",
    kind: part.over_time ? "course" : first ? "table" : "figures",
    measures: part.measures,
    dimensions: [first, second, third],
    top: String(part.top ?? 8),
    filters: part.filters?.length ? JSON.stringify(part.filters) : "",
  };
}

function partOf(typed: Typed): Part {
  const many = typed.kind === "figures" ? 0 : typed.kind === "course" ? 1 : 3;
  return {
    name: typed.name || nameOf(typed.title),
    title: typed.title,
    text: typed.text,
    measures: typed.measures,
    dimensions: typed.dimensions.slice(0, many).filter((dimension) => dimension !== ""),
    over_time: typed.kind === "course",
    top: figure(typed.top) ?? 8,
    filters: filtersOf(typed.filters),
  };
}

/** The form of a report of one's own, new or changed. */
export function ReportDefinitionForm(props: {
  definition?: Schemas["ReportDefinition"];
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ name: string }>;
  after: (name: string) => void;
}) {
  const { definition } = props;
  const form = useForm({
    initial: {
      name: definition?.name ?? "",
      title: definition?.title ?? "",
      about: definition?.about ?? "",
      parts: definition?.parts.map(typedOf) ?? [{ ...fresh, title: "By operation" }],
    },
    send: ({ parts, ...values }) => props.send({ ...values, parts: parts.map(partOf) }),
    after: (made) => props.after(made.name),
  });
  const { values, set } = form;
  const change = (place: number, part: Partial<Typed>) => set({ parts: values.parts.map((each, index) => (index === place ? { ...each, ...part } : each)) });
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        value={values.title}
        set={(title) => set(!definition && values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField
        label="Name"
        pointer="/name"
        mono
        help="What it is asked for by; it cannot be changed."
        disabled={definition !== undefined}
        value={values.name}
        set={(name) => set({ name })}
      />
      <TextField label="Which questions it answers" optional pointer="/about" value={values.about} set={(about) => set({ about })} />
      <fieldset>
        <legend className="mb-2 font-medium">Sections</legend>
        <RowList
          label="sections"
          count={values.parts.length}
          remove={(place) => set({ parts: values.parts.filter((_, index) => index !== place) })}
          add={() => set({ parts: [...values.parts, fresh] })}
          row={(place) => <PartFields place={place} part={values.parts[place] ?? fresh} change={(part) => change(place, part)} />}
        />
      </fieldset>
    </FormPanel>
  );
}

function PartFields({ place, part, change }: { place: number; part: Typed; change: (part: Partial<Typed>) => void }) {
  const at = `/parts/${place}`;
  const many = part.kind === "figures" ? 0 : part.kind === "course" ? 1 : 3;
  const wrong = useWrong(`${at}/measures`);
  return (
    <fieldset className="grow space-y-4 rounded-lg border border-line bg-surface p-4">
      <legend className="px-1 text-sm text-ink-2">Section {place + 1}</legend>
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label="Title" pointer={`${at}/title`} value={part.title} set={(title) => change({ title })} />
        <SelectField label="Shown as" pointer={`${at}/over_time`} value={part.kind} set={(kind) => change({ kind: kind as Kind })} options={kinds} />
      </div>
      <fieldset>
        <legend className="mb-1 font-medium">Measured</legend>
        <div className="flex flex-wrap gap-x-4 gap-y-1.5">
          {measures.map(([measure, title]) => (
            <label key={measure} className="flex items-center gap-1.5">
              <input
                type="checkbox"
                className="size-4 accent-accent"
                checked={part.measures.includes(measure)}
                onChange={(event) =>
                  change({ measures: event.target.checked ? [...part.measures, measure] : part.measures.filter((other) => other !== measure) })
                }
              />
              {title}
            </label>
          ))}
        </div>
        {wrong && <p className="mt-1 text-sm text-bad">{wrong}</p>}
      </fieldset>
      {many > 0 && (
        <div className="grid gap-4 sm:grid-cols-4">
          {part.dimensions.slice(0, many).map((dimension, index) => (
            <SelectField
              // oxlint-disable-next-line react/no-array-index-key
              key={index}
              label={["By", "then by", "and by"][index] ?? "and by"}
              pointer={`${at}/dimensions${index === 0 ? "" : `/${index}`}`}
              value={dimension}
              set={(value) => change({ dimensions: part.dimensions.map((each, other) => (other === index ? (value as Dimension) : each)) })}
              options={dimensions}
            />
          ))}
          <TextField label="Groups" pointer={`${at}/top`} type="number" value={part.top} set={(top) => change({ top })} />
        </div>
      )}
      <TextField
        label="Filters"
        optional
        mono
        pointer={`${at}/filters`}
        help={'As queries have them: [{"dimension": "status_class", "values": ["5xx"]}].'}
        value={part.filters}
        set={(filters) => change({ filters })}
      />
    </fieldset>
  );
}
