import { client } from "@gateline/api-client";
import { Brand, type Hit, Loaded, Palette, ThemeChoice, ToSignIn, useCurrentShown, useSession } from "@gateline/ui";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";

const menu: [title: string, entries: [path: string, title: string][]][] = [
  [
    "Offer",
    [
      ["/", "Home"],
      ["/apis", "APIs"],
      ["/products", "Products"],
      ["/plans", "Plans"],
      ["/upstreams", "Upstreams"],
      ["/streams", "Streams"],
      ["/certificates", "Certificates"],
    ],
  ],
  [
    "Consumers",
    [
      ["/applications", "Applications"],
      ["/keys", "Keys"],
      ["/analytics", "Analytics"],
      ["/reports", "Reports"],
      ["/live", "Live"],
      ["/alerts", "Alerts"],
      ["/usage", "Usage"],
      ["/sql", "SQL"],
      ["/explain", "Explain"],
    ],
  ],
  [
    "Users",
    [
      ["/flags", "Feature flags"],
      ["/segments", "Segments"],
      ["/events", "Events"],
      ["/sdk-keys", "SDK keys"],
    ],
  ],
  [
    "Organization",
    [
      ["/members", "Members"],
      ["/environments", "Environments"],
      ["/nodes", "Nodes"],
      ["/audit", "Audit"],
    ],
  ],
];

const screens: Hit[] = [
  ...menu.flatMap(([, entries]) => entries.map(([to, title]) => ({ kind: "Screen", title, to }))),
  { kind: "Action", title: "Import an API", to: "/apis/import" },
  { kind: "Action", title: "Create a plan", to: "/plans/new" },
  { kind: "Action", title: "Create a product", to: "/products/new" },
  { kind: "Action", title: "Add an alert rule", to: "/alerts/rules/new" },
  { kind: "Action", title: "Schedule a report", to: "/reports/schedules/new" },
  { kind: "Action", title: "Create an application", to: "/applications/new" },
  { kind: "Action", title: "Add an upstream", to: "/upstreams/new" },
  { kind: "Action", title: "Add a stream route", to: "/streams/new" },
  { kind: "Action", title: "Add a certificate", to: "/certificates/new" },
  { kind: "Action", title: "Create a feature flag", to: "/flags/new" },
  { kind: "Screen", title: "Feature flags for one person", to: "/flags/try" },
  { kind: "Screen", title: "Proposed changes of feature flags", to: "/flags/changes" },
  { kind: "Screen", title: "Feature flags left out for other SDKs", to: "/flags/left-out" },
  { kind: "Action", title: "Create a segment", to: "/segments/new" },
  { kind: "Action", title: "Declare an event type", to: "/events/new" },
];

const hits = (kind: string, path: string, rows: { id: string; title: string; name: string }[] = []): Hit[] =>
  rows.map((row) => ({ kind, title: row.title || row.name, note: row.name, to: `${path}/${row.id}` }));

/** Things that have a key in the place of a name. */
const keyed = (page: { data: { id: string; title: string; key: string }[] } | undefined) => page?.data.map((row) => ({ ...row, name: row.key }));

/** Asks the lists that people search. */
async function find(q: string): Promise<Hit[]> {
  const query = { params: { query: { limit: 4, ...(q ? { q } : {}) } } };
  const [apis, products, applications, flags, segments] = await Promise.all([
    client.GET("/api/v1/apis", query),
    client.GET("/api/v1/products", query),
    client.GET("/api/v1/applications", query),
    client.GET("/api/v1/feature-flags", query),
    client.GET("/api/v1/segments", query),
  ]);
  return [
    ...hits("API", "/apis", apis.data?.data),
    ...hits("Product", "/products", products.data?.data),
    ...hits("Application", "/applications", applications.data?.data),
    ...hits("Feature flag", "/flags", keyed(flags.data)),
    ...hits("Segment", "/segments", keyed(segments.data)),
  ];
}

/** Menu and top of the console around every screen; asks to sign in first, but for those who come to do that. */
export function Shell() {
  const { query } = useSession();
  // The place that is shown, which is the one before while a screen is loaded.
  const location = useRouterState({ select: (state) => state.resolvedLocation ?? state.location });
  if (/\/(sign-in|invitation|reset)\/?$/.test(location.pathname)) {
    return (
      <main className="mx-auto max-w-sm px-6 py-[14vh]">
        <Outlet />
      </main>
    );
  }
  return (
    <Loaded query={query}>
      {(session) => (session ? <Frame /> : <ToSignIn to="/sign-in" />)}
    </Loaded>
  );
}

function Frame() {
  const { session, organization, choose, signOut } = useSession();
  const menuRow = useCurrentShown();
  return (
    <div className="md:grid md:min-h-screen md:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-10 focus:m-2 focus:bg-surface focus:p-2">
        Skip the menu
      </a>
      <aside className="flex flex-col gap-4 border-line bg-sunken px-3 py-4 max-md:border-b md:sticky md:border-r md:top-0 md:h-screen md:overflow-y-auto">
        <Link to="/" className="px-2">
          <Brand part="console" />
        </Link>
        <Palette find={find} screens={screens} placeholder="Find an API, product, application or flag" />
        <nav ref={menuRow} aria-label="Main" className="flex gap-5 overflow-x-auto md:flex-col md:gap-4">
          {menu.map(([title, entries]) => (
            <div key={title}>
              <p className="mb-0.5 px-2 text-xs text-ink-2">{title}</p>
              <ul className="flex md:block">
                {entries.map(([path, name]) => (
                  <li key={path}>
                    <Link
                      to={path}
                      activeOptions={{ exact: path === "/", includeSearch: false }}
                      className="block rounded-md px-2 py-1 whitespace-nowrap text-ink-2 hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink"
                    >
                      {name}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </nav>
        <div className="mt-auto border-t border-line px-2 pt-3 text-sm max-md:flex max-md:items-center max-md:justify-between max-md:gap-4 md:space-y-2">
          {session && session.organizations.length > 1 ? (
            <select
              aria-label="Organization"
              className="input min-h-8 py-0.5 text-sm"
              value={organization?.id}
              onChange={(event) => choose(event.target.value)}
            >
              {session.organizations.map((each) => (
                <option key={each.id} value={each.id}>
                  {each.title}
                </option>
              ))}
            </select>
          ) : (
            <p className="min-w-0 truncate font-medium">{organization?.title}</p>
          )}
          <p className="truncate text-ink-2 max-md:hidden" title={session?.user.email}>
            {session?.user.email}
          </p>
          <div className="flex items-center justify-between gap-2">
            <ThemeChoice />
            <button type="button" className="whitespace-nowrap text-ink-2 hover:text-ink hover:underline" onClick={() => void signOut()}>
              Sign out
            </button>
          </div>
        </div>
      </aside>
      <main id="main" className="min-w-0 px-6 py-6 lg:px-10">
        <div className="mx-auto max-w-6xl">
          <Outlet />
        </div>
      </main>
    </div>
  );
}
