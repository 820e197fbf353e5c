import { type ReactNode, useEffect, useState } from "react";
import { ago, moment } from "./format";

const tones = {
  neutral: "text-ink-2 bg-sunken",
  accent: "text-accent bg-accent-soft",
  ok: "text-ok bg-ok-soft",
  warn: "text-warn bg-warn-soft",
  bad: "text-bad bg-bad-soft",
};

/** What a colour means. */
export type Tone = keyof typeof tones;

/** A word in a colour. */
export function Badge(props: { tone?: Tone; children: ReactNode }) {
  return (
    <span className={`inline-block rounded-sm px-1.5 py-px text-xs font-medium whitespace-nowrap ${tones[props.tone ?? "neutral"]}`}>
      {props.children}
    </span>
  );
}

const states: Record<string, Tone> = {
  stable: "ok",
  active: "ok",
  public: "ok",
  enabled: "ok",
  fine: "ok",
  resolved: "ok",
  delivered: "ok",
  applied: "ok",
  approved: "ok",
  open: "accent",
  rejected: "bad",
  firing: "bad",
  undecided: "warn",
  valid: "ok",
  beta: "accent",
  alpha: "accent",
  pending: "accent",
  deprecated: "warn",
  suspended: "warn",
  expired: "warn",
  expiring: "warn",
  revoked: "bad",
  retired: "bad",
  cancelled: "bad",
  failed: "bad",
};

/** A state's word in the colour that it has everywhere. */
export function State({ of }: { of: string }) {
  return <Badge tone={states[of] ?? "neutral"}>{of}</Badge>;
}

/** A sentence of the API: what stands in backticks is code. */
export function Said({ text }: { text: string }) {
  const parts = text.split("`");
  return parts.map((part, index) =>
    // eslint-disable-next-line react/no-array-index-key
    index % 2 === 1 && index < parts.length - 1 ? <code key={index}>{part}</code> : part,
  );
}

/** An HTTP method; bold where a call changes something. */
export function Method({ of }: { of: string }) {
  const changes = of !== "GET" && of !== "HEAD" && of !== "OPTIONS";
  return <code className={`inline-block w-14 text-xs ${changes ? "font-semibold text-accent" : "text-ink-2"}`}>{of}</code>;
}

/** A moment as how long ago, or `never`; the exact one on hover and for machines. */
export function Time({ at, never }: { at: string | null | undefined; never?: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span className="text-ink-2">{never ?? "–"}</span>;
  return (
    <time dateTime={at} title={moment(at)} className="whitespace-nowrap">
      {ago(at)}
    </time>
  );
}

/** Copies a text and says that it did. */
export function CopyButton(props: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(props.text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button
      type="button"
      onClick={() => void copy()}
      aria-label={copied ? "Copied" : (props.label ?? "Copy")}
      className="rounded-sm px-1.5 py-0.5 text-xs text-ink-2 hover:bg-hover hover:text-ink"
    >
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

/** An id or address that people copy. */
export function Copyable({ text }: { text: string }) {
  return (
    <span className="inline-flex max-w-full items-baseline gap-1">
      <code className="truncate" title={text}>
        {text}
      </code>
      <CopyButton text={text} label={`Copy ${text}`} />
    </span>
  );
}

/** Lines to copy into a terminal or a program. */
export function Command(props: { text: string; label?: string }) {
  return (
    <div className="flex items-start gap-2 rounded-md border border-line bg-sunken py-2 pr-2 pl-3 text-left">
      {/* Focusable, so that a keyboard can scroll it. */}
      <pre className="min-w-0 flex-1 overflow-x-auto leading-relaxed" tabIndex={0} role="region" aria-label={props.label ?? "Command"}>
        {props.text}
      </pre>
      <CopyButton text={props.text} label={`Copy ${(props.label ?? "command").toLowerCase()}`} />
    </div>
  );
}

/** Names and values: what is known of a thing. */
export function Facts(props: { of: [string, ReactNode][] }) {
  return (
    <dl className="flex flex-wrap gap-x-12 gap-y-3">
      {props.of.map(([name, value]) => (
        <div key={name} className="max-w-full min-w-0">
          <dt className="text-sm text-ink-2">{name}</dt>
          <dd className="break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** An error code, with the page that explains it. */
export function CodeLink({ code }: { code: string }) {
  return code ? (
    <a className="link" href={`/docs/errors/${code}`}>
      <code>{code}</code>
    </a>
  ) : null;
}
