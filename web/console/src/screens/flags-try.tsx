import { type Schemas, client, done, organizationOf } from "@gateline/api-client";
import { Badge, Command, Empty, FormPanel, List, type ListSearch, Loaded, Panel, SelectField, TextField, momentOf, useForm } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type Asked, asState, useAsked } from "../flags/asked";
import { AttributesField, known, rowsOf } from "../flags/attributes";
import { FlagsHead } from "./section-head";
import { UNIT } from "../flags/model";
import { useEnvironments } from "../flags/queries";
import { type Reason, reasonInWords, reasons } from "../flags/words";

type Tried = Schemas["FlagTried"];

const PATH = "/api/v1/feature-flags/try";

/** What one person would get of every flag of an environment, and why. */
export default function FlagsTry() {
  const environments = useEnvironments();
  return (
    <>
      <FlagsHead text="What one person would get of every flag, and why. Nothing is recorded." />
      <Loaded query={environments}>{({ data }) => <ForOne names={data.map((each) => each.name)} />}</Loaded>
    </>
  );
}

/** A page of answers. */
const answers = ({ environment, rows, at }: Asked, { q, reason, cursor }: ListSearch) => {
  const moment = momentOf({ ends: "at", at });
  const body = { environment, attributes: known(rows), ...(at && moment ? { at: moment } : {}) };
  const query = { q, cursor, "filter[reason]": reason as Reason | undefined };
  return {
    queryKey: [PATH, body, query, organizationOf()] as const,
    queryFn: async ({ signal }: { signal: AbortSignal }) => done(await client.POST(PATH, { params: { query }, body, signal })),
  };
};

function ForOne({ names }: { names: string[] }) {
  const asked = useAsked();
  const search = useSearch({ strict: false }) as ListSearch;
  const navigate = useNavigate();
  const queries = useQueryClient();
  const usual = names.includes("production") ? "production" : (names[0] ?? "");
  const form = useForm({
    initial: asked ?? { environment: search["environment"] ?? usual, rows: rowsOf([]), at: "" },
    send: async (values) => {
      // What is wrong with it is told at the fields; the list finds the answer of the first page there.
      await queries.fetchQuery({ ...answers(values, { ...search, cursor: undefined }), staleTime: 0 });
      return values;
    },
    after: (values) => navigate({ to: ".", search: { ...search, environment: values.environment, cursor: undefined } as never, state: asState(values), replace: true }),
  });
  const { values, set } = form;
  return (
    <div className="grid gap-8 xl:grid-cols-[20rem_minmax(0,1fr)]">
      <section aria-labelledby="who" className="xl:sticky xl:top-6 xl:self-start">
        <Panel>
          <h2 id="who" className="text-lg">
            Who asks
          </h2>
          <p className="mb-3 text-sm text-ink-2">What is left empty is not known.</p>
          <FormPanel form={form} submit="Show what they get" unguarded>
            <SelectField label="Environment" pointer="/environment" value={values.environment} set={(environment) => set({ environment })} options={names.map((name) => [name, name])} />
            <AttributesField rows={values.rows} set={(rows) => set({ rows })} />
            <TextField label="When" optional pointer="/at" type="datetime-local" help="Now, if empty." value={values.at} set={(at) => set({ at })} />
          </FormPanel>
        </Panel>
      </section>
      <section aria-label="What they get" className="min-w-0">
        {asked ? <Answers asked={asked} /> : <Nobody environment={values.environment} />}
      </section>
    </div>
  );
}

const Nobody = ({ environment }: { environment: string }) => (
  <Empty title="Whom is it about?">
    <p>
      Say what is known of somebody, such as their <code>{UNIT}</code>. Every flag of the environment answers, and leads to the steps on the way to its answer. In a
      terminal:
    </p>
    <Command text={`gateline flags evaluate --all --environment ${environment} --user 123`} />
  </Empty>
);

/** The most characters of a value that a row shows, and that it shows in one line. */
const SHOWN = 80;
const IN_A_LINE = 20;

function Answers({ asked }: { asked: Asked }) {
  return (
    <List<Tried>
      label="Flags"
      load={(search) => answers(asked, search)}
      searchable
      filters={[{ name: "reason", title: "Why", options: Object.entries(reasons).map(([reason, [short]]) => [reason, short]) }]}
      columns={[
        {
          title: "Flag",
          wide: true,
          cell: (row) => (
            <Link to={`/flags/${row.id}/in/${asked.environment}`} state={asState(asked)} className="font-medium hover:text-accent hover:underline">
              <code>{row.key}</code>
            </Link>
          ),
        },
        {
          title: "Variant",
          cell: (row) => (
            <Badge tone={row.enabled ? "ok" : "neutral"}>
              <code>{row.variant}</code>
            </Badge>
          ),
        },
        { title: "Value", cell: (row) => <Value of={row.value} /> },
        { title: "Why", cell: (row) => <Why of={row} /> },
        { title: "Split by", cell: (row) => (row.by ? <code>{row.by}</code> : <span className="text-ink-2">–</span>) },
      ]}
      empty={{ title: `There is no flag in ${asked.environment}`, text: <p>Programs that ask there are told so, and use their own defaults.</p> }}
    />
  );
}

function Value({ of }: { of: unknown }) {
  const text = JSON.stringify(of);
  const look = text.length > IN_A_LINE ? "inline-block min-w-40 break-all" : "whitespace-nowrap";
  return <code className={look}>{text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text}</code>;
}

/** The reason, and the rule that was for them. */
function Why({ of: { reason, rule } }: { of: Tried }) {
  const [short, sentence] = reasonInWords(reason);
  return (
    <span title={sentence}>
      {short}
      {rule && (
        <>
          , rule <span className="break-words">{rule}</span>
        </>
      )}
    </span>
  );
}
