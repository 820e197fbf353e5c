/** Starts a page: routes, queries, and what is shown when a screen breaks or is not there. */
import { ProblemError } from "@gateline/api-client";
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  RouterProvider,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  useParams,
} from "@tanstack/react-router";
import { type FunctionComponent, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ButtonLink } from "./button";
import { Empty, Loading, useTitle } from "./page";
import { ProblemNote } from "./problem";
import { applyTheme } from "./theme";

/** Every screen of a page: its path (`/apis/$id`) and the file that shows it, loaded when it is first visited. */
export type Routes = Record<string, () => Promise<{ default: FunctionComponent }>>;

/** A parameter of the address, such as `id` of `/apis/$id`. */
export function useParam(name: string): string {
  return (useParams({ strict: false }) as Record<string, string>)[name] ?? "";
}

function NotFound() {
  useTitle("Not found");
  return (
    <Empty title="There is no such page" action={<ButtonLink to="/">Go to the start</ButtonLink>}>
      The address may be mistyped, or what was here is gone.
    </Empty>
  );
}

/** Shows the page below `base` in the element `#root`; `shell` stands around every screen. */
export function start(options: { base: string; shell: FunctionComponent; routes: Routes }): void {
  applyTheme();
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2000,
        retry: (failures, error) => failures < 2 && error instanceof ProblemError && error.transient && error.status !== 429,
      },
    },
    queryCache: new QueryCache({
      onError: (error, query) => {
        const ended = error instanceof ProblemError && error.status === 401;
        if (ended && query.queryKey[0] !== "session") void queries.invalidateQueries({ queryKey: ["session"] });
      },
    }),
  });
  const root = createRootRoute({ component: options.shell, notFoundComponent: NotFound });
  const children = Object.entries(options.routes).map(([path, load]) =>
    createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) }),
  );
  const router = createRouter({
    routeTree: root.addChildren(children),
    basepath: options.base,
    defaultPreload: "intent",
    scrollRestoration: true,
    trailingSlash: "preserve",
    // The address keeps texts as they are: `?q=1` is the text "1".
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch: (search) => {
      const entries = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
      const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
      return text && `?${text}`;
    },
    defaultErrorComponent: ({ error, reset }) => <ProblemNote error={error as Error} retry={reset} />,
    defaultPendingComponent: () => <Loading />,
    defaultNotFoundComponent: NotFound,
  });
  const element = document.querySelector("#root");
  if (!element) throw new Error("the page has an element #root");
  createRoot(element).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
