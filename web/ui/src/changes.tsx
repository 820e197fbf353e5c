/** What differs between two states of a thing, value by value. */
import { changes } from "./diff";

/** The values that differ; says so if none does. */
export function ChangesTable({ before, after }: { before: unknown; after: unknown }) {
  const differences = changes(before, after);
  if (differences.length === 0) return <p className="text-ink-2">No value changed.</p>;
  return (
    <table className="w-full table-fixed text-sm">
      <thead>
        <tr className="border-b border-line text-left text-ink-2">
          <th className="w-1/3 py-1 font-medium">Value</th>
          <th className="py-1 font-medium">Before</th>
          <th className="py-1 font-medium">After</th>
        </tr>
      </thead>
      <tbody>
        {differences.map((change) => (
          <tr key={change.path} className="border-b border-line align-top last:border-0">
            <td className="py-1.5 pr-3 break-words">
              <code>{change.path}</code>
            </td>
            <td className="py-1.5 pr-3 break-words text-bad">{change.before === undefined ? "" : <del className="no-underline">{change.before}</del>}</td>
            <td className="py-1.5 break-words text-ok">{change.after === undefined ? "" : <ins className="no-underline">{change.after}</ins>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
