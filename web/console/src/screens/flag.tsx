import { Badge, ButtonLink, Copyable, Markdown, Said, Section, Table, Time, moment } from "@gateline/ui";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { FlagFrame, environmentPath } from "../flags/frame";
import { type Flag, isOver, variantsOf } from "../flags/model";
import { Snippets } from "../flags/snippets";
import { FlagSwitch } from "../flags/switch";
import { Owner, Tags } from "../flags/tags";
import { staleness } from "../flags/use";
import { glance, outcomeInWords, types } from "../flags/words";

/** One flag: where it is on, its values, and how it is asked for. */
export default function FlagScreen() {
  return (
    <FlagFrame
      facts={(flag) => [
        ["Key", <Copyable key="key" text={flag.key} />],
        ["Type", types[flag.type]],
        ["Pages and apps", flag.client_side ? "May ask for it" : "May not ask for it"],
        ...(flag.owner ? [["Owner", <Owner key="owner" of={flag.owner} />] as [string, ReactNode]] : []),
        ...(flag.tags.length > 0 ? [["Tags", <Tags key="tags" of={flag.tags} />] as [string, ReactNode]] : []),
        ...(flag.expires_at ? [["To be gone", <End key="end" at={flag.expires_at} />] as [string, ReactNode]] : []),
        ["Last asked for", <Time key="asked" at={flag.last_evaluated_at} never="Not yet" />],
        ["Version", flag.revision],
        ["Changed", <Time key="changed" at={flag.updated_at} />],
        ["Made", <Time key="made" at={flag.created_at} />],
        ["Id", <Copyable key="id" text={flag.id} />],
        ...(flag.managed_by ? [["Kept in the folder", flag.managed_by] as [string, string]] : []),
      ]}
    >
      {(flag, environments) => (
        <>
          {flag.stale && (
            <p className="mb-6 rounded-md bg-warn-soft px-3 py-2 text-warn">
              {staleness[flag.stale][1]} When no program names it any more, it can be deleted:{" "}
              <Link to={`/flags/${flag.id}/usage`} className="underline">
                look where it is used
              </Link>
              .
            </p>
          )}
          {flag.description && <Markdown text={flag.description} />}
          <Section title="Where it is on">
            <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
              {environments.map((name) => (
                <EnvironmentRow key={name} flag={flag} name={name} />
              ))}
            </ul>
          </Section>
          <Section title="Variants" text="The values that it can give, the same in every environment.">
            <Variants flag={flag} />
          </Section>
          <Section
            title="Ask for it"
            text="The SDK key says the environment: a server's key is secret, a client's key may stand in a page or app."
            actions={<ButtonLink to="/sdk-keys">SDK keys</ButtonLink>}
          >
            <Snippets flag={flag} />
          </Section>
        </>
      )}
    </FlagFrame>
  );
}

/** When a flag is to be gone; marked once that is over. */
function End({ at }: { at: string }) {
  return (
    <span className="flex items-center gap-2">
      <time dateTime={at}>{moment(at)}</time>
      {isOver(at) && <Badge tone="warn">over</Badge>}
    </span>
  );
}

function EnvironmentRow({ flag, name }: { flag: Flag; name: string }) {
  const targeting = flag.environments[name];
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5">
      <span className="w-11">{targeting && <FlagSwitch flag={flag} environment={name} targeting={targeting} />}</span>
      <Link to={environmentPath(flag, name)} className="w-40 font-medium break-words hover:text-accent hover:underline">
        {name}
      </Link>
      {targeting ? (
        <>
          <Badge tone={glance(targeting).tone}>{glance(targeting).text}</Badge>
          <span className="text-ink-2">
            <Said text={targeting.enabled === false ? `Everybody gets \`${targeting.off}\`` : `Everybody${targeting.rules?.length ? " else" : ""}: ${outcomeInWords(targeting.otherwise)}`} />
          </span>
        </>
      ) : (
        <span className="text-ink-2">Not there: programs use their own default</span>
      )}
    </li>
  );
}

/** The most characters of a value that a row shows. */
const SHOWN = 400;

function Variants({ flag }: { flag: Flag }) {
  const rows = Object.entries(variantsOf(flag)).map(([name, value]) => ({ id: name, text: JSON.stringify(value) }));
  return (
    <Table
      label="Variants"
      rows={rows}
      columns={[
        { title: "Variant", cell: (row) => <code>{row.id}</code> },
        { title: "Value", wide: true, cell: (row) => <code className="break-all">{row.text.length > SHOWN ? `${row.text.slice(0, SHOWN)} …` : row.text}</code> },
      ]}
    />
  );
}
