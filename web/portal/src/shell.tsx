import { Brand, ButtonLink, Loaded, ThemeChoice, ToSignIn, useSession } from "@gateline/ui";
import { Link, Outlet } from "@tanstack/react-router";
import type { ReactNode } from "react";

const menu: [path: string, title: string][] = [
  ["/", "Catalogue"],
  ["/applications", "Applications"],
  ["/usage", "Usage"],
];

/** Top and bottom of the portal around every screen. */
export function Shell() {
  return (
    <div className="flex min-h-screen flex-col">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-10 focus:m-2 focus:bg-surface focus:p-2">
        Skip the menu
      </a>
      <header className="border-b border-line">
        <div className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-8 gap-y-2 px-6 py-3">
          <Link to="/" className="flex">
            <Brand part="portal" />
          </Link>
          <nav aria-label="Main" className="flex gap-5">
            {menu.map(([path, title]) => (
              <Link
                key={path}
                to={path}
                activeOptions={{ exact: path === "/", includeSearch: false }}
                className="text-ink-2 hover:text-ink aria-[current=page]:text-ink aria-[current=page]:underline aria-[current=page]:decoration-accent aria-[current=page]:decoration-2 aria-[current=page]:underline-offset-8"
              >
                {title}
              </Link>
            ))}
          </nav>
          <div className="ml-auto flex items-center gap-3">
            <ThemeChoice />
            <Account />
          </div>
        </div>
      </header>
      <main id="main" className="mx-auto w-full max-w-6xl flex-1 px-6 py-8">
        <Outlet />
      </main>
      <footer className="border-t border-line">
        <div className="mx-auto flex max-w-6xl flex-wrap gap-x-6 gap-y-1 px-6 py-4 text-sm text-ink-2">
          <span>Served by Gateline</span>
          <a className="hover:text-ink hover:underline" href="/docs/errors">
            Error codes
          </a>
          <a className="hover:text-ink hover:underline" href="/llms.txt">
            For agents: llms.txt
          </a>
          <a className="ml-auto hover:text-ink hover:underline" href="/console/">
            Console
          </a>
        </div>
      </footer>
    </div>
  );
}

function Account() {
  const { session, signOut } = useSession();
  if (session === undefined) return null;
  if (session === null) {
    return (
      <>
        <ButtonLink to="/sign-in" kind="plain">
          Sign in
        </ButtonLink>
        <ButtonLink to="/sign-up">Sign up</ButtonLink>
      </>
    );
  }
  return (
    <>
      <span className="max-w-48 truncate text-sm text-ink-2" title={session.user.email}>
        {session.user.name || session.user.email}
      </span>
      <button type="button" className="text-sm text-ink-2 hover:text-ink hover:underline" onClick={() => void signOut()}>
        Sign out
      </button>
    </>
  );
}

/** A screen that needs somebody signed in; comes back after sign-up or sign-in. */
export function SignedIn(props: { newcomer?: boolean; children: ReactNode }) {
  const { query } = useSession();
  return (
    <Loaded query={query}>
      {(session) =>
        session ? props.children : <ToSignIn to={props.newcomer ? "/sign-up" : "/sign-in"} />
      }
    </Loaded>
  );
}
