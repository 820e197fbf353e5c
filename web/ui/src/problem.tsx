import { ProblemError } from "@gateline/api-client";
import { Button } from "./button";
import { Copyable, Said } from "./text";

/** Why something failed: title, detail, what to do, code and request id. */
export function ProblemNote(props: { error: Error; retry?: () => void }) {
  const problem = props.error instanceof ProblemError ? props.error : undefined;
  const detail = props.error.message;
  return (
    <div role="alert" className="rounded-md border border-bad/40 bg-bad-soft px-4 py-3">
      <p className="font-semibold text-bad">{problem?.title ?? "This page broke"}</p>
      {detail !== problem?.title && <p className="mt-0.5 break-words">
          <Said text={detail} />
        </p>}
      {problem && problem.fields.length > 0 && (
        <ul className="mt-1 list-disc pl-5">
          {problem.fields.slice(0, 10).map((field) => (
            <li key={field.pointer + field.detail} className="break-words">
              <code>{field.pointer || "/"}</code> <Said text={field.detail} />
            </li>
          ))}
        </ul>
      )}
      {problem?.suggestion && (
        <p className="mt-0.5">
          <Said text={problem.suggestion} />
        </p>
      )}
      {problem && (
        <p className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-ink">
          <a className="link" href={problem.page ?? `/docs/errors/${problem.code}`}>
            <code>{problem.code}</code>
          </a>
          {problem.requestId && (
            <span className="inline-flex items-baseline gap-1">
              Request <Copyable text={problem.requestId} />
            </span>
          )}
        </p>
      )}
      {props.retry && (
        <Button className="mt-3" onClick={props.retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
