import { read } from "@gateline/api-client";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

type Option = [value: string, title: string];

const titles = (rows: { id: string; title: string }[] | undefined): Option[] => (rows ?? []).map((row) => [row.id, row.title]);

/** Chooses which calls a screen is about: of an API, of an application, and when. The choices stand in the address. */
export function CallsFilter(props: {
  /** Whether it can be about one API, and one application; it can if absent. */
  api?: boolean;
  application?: boolean;
  time: { name: string; value: string; options: Option[] } | false;
}) {
  const search = useSearch({ strict: false }) as Record<string, string | undefined>;
  const navigate = useNavigate();
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 200 } } }));
  const applications = useQuery(read("/api/v1/applications", { params: { query: { limit: 200 } } }));
  const choice = (name: string, title: string, value: string, options: Option[]) => (
    <select
      aria-label={title}
      className="input w-auto max-w-72"
      value={value}
      onChange={(event) => void navigate({ to: ".", search: { ...search, [name]: event.target.value } as never })}
    >
      {options.map(([id, text]) => (
        <option key={id} value={id}>
          {text}
        </option>
      ))}
    </select>
  );
  const { api = true, application = true, time } = props;
  return (
    <>
      {api && choice("api", "API", search["api"] ?? "", [["", "Every API"], ...titles(apis.data?.data)])}
      {application && choice("application", "Application", search["application"] ?? "", [["", "Every application"], ...titles(applications.data?.data)])}
      {time && choice(time.name, "Time", time.value, time.options)}
    </>
  );
}
