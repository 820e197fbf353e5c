import { read } from "@gateline/api-client";
import { ButtonLink, Loaded } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ReportHead } from "./section-head";

/** The reports that there are. */
export default function Reports() {
  const query = useQuery(read("/api/v1/reports"));
  return (
    <>
      <ReportHead
        text="What happened in a time and what it means."
        actions={
          <ButtonLink to="/reports/definitions/new" kind="primary">
            Add a report
          </ButtonLink>
        }
      />
      <Loaded query={query} rows={6}>
        {({ data }) => (
          <ul className="grid gap-3 md:grid-cols-2" aria-label="Reports">
            {data.map((report) => (
              <li key={report.name} className="rounded-lg border border-line bg-surface px-4 py-3">
                <Link to={`/reports/${report.name}`} className="link font-medium">
                  {report.title}
                </Link>
                <p className="text-sm text-ink-2">{report.about}</p>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </>
  );
}
