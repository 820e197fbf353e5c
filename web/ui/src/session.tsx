/** Who is signed in, and for which organization they act. */
import { ProblemError, type Schemas, client, done, setContext } from "@gateline/api-client";
import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { FormPanel, NewPasswordField, TextField, useForm } from "./form";

type WebSession = Schemas["WebSession"];

const CHOICE = "gateline.organization";
const sessionKey = ["session"] as const;

/** Takes a session into use: from now on calls carry its token and organization. */
function adopt(session: WebSession | null): WebSession | null {
  const chosen = localStorage.getItem(CHOICE);
  const organization = session?.organizations.find((each) => each.id === chosen) ?? session?.organizations[0];
  setContext({ csrfToken: session?.csrf_token ?? "", organization: organization?.id ?? "" });
  return session;
}

/** Begins as somebody else: nothing of what the one before saw stays. */
function begin(queries: QueryClient, session: WebSession | null): void {
  queries.removeQueries({ predicate: (each) => each.queryKey[0] !== sessionKey[0] });
  queries.setQueryData(sessionKey, adopt(session));
}

async function current(): Promise<WebSession | null> {
  try {
    return adopt(done(await client.GET("/api/v1/auth/sessions/current")));
  } catch (error) {
    if (error instanceof ProblemError && error.status === 401) return adopt(null);
    throw error;
  }
}

/** The session: `undefined` until it is known, `null` when nobody is signed in. */
export function useSession() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: sessionKey, queryFn: current, staleTime: 300_000, retry: 1 });
  const session = query.data;
  const chosen = localStorage.getItem(CHOICE);
  const organization = session?.organizations.find((each) => each.id === chosen) ?? session?.organizations[0];
  return {
    query,
    session,
    organization,
    /** Acts for another organization from now on. */
    choose: (id: string) => {
      localStorage.setItem(CHOICE, id);
      begin(queries, session ?? null);
      void queries.invalidateQueries();
    },
    /** Goes on as who was just signed in. */
    begin: (young: WebSession) => begin(queries, young),
    /** Goes on for an organization that the one who is signed in has become a member of. */
    join: async (id: string) => {
      localStorage.setItem(CHOICE, id);
      begin(queries, await current());
    },
    signOut: async () => {
      await client.DELETE("/api/v1/auth/sessions/current").catch(() => undefined);
      begin(queries, null);
    },
  };
}

/** Leads to the sign-in or sign-up, which come back to the place of now. */
export function ToSignIn({ to }: { to: string }) {
  const navigate = useNavigate();
  const location = useLocation();
  // The place when it was first shown: the location changes while the way there is loaded.
  const [next] = useState(location.pathname + location.searchStr);
  useEffect(() => {
    void navigate({ to, search: { next } as never, replace: true });
  }, [navigate, next, to]);
  return null;
}

/** Where to go after signing in: only to a place of our own. */
function useNext(): (fallback: string) => void {
  const search = useSearch({ strict: false }) as { next?: string };
  const navigate = useNavigate();
  return (fallback) => {
    const next = search.next?.startsWith("/") && !search.next.startsWith("//") ? search.next : fallback;
    void navigate({ to: next });
  };
}

/** E-mail address and password. */
export function SignInForm(props: {
  /** Where to go afterwards; absent to stay where the form is. */
  home?: string;
  email?: string;
}) {
  const queries = useQueryClient();
  const next = useNext();
  const form = useForm({
    initial: { email: props.email ?? "", password: "" },
    send: async (body) => done(await client.POST("/api/v1/auth/sessions", { body })),
    after: (session) => {
      begin(queries, session);
      if (props.home) next(props.home);
    },
  });
  return (
    <FormPanel form={form} submit="Sign in" unguarded>
      <TextField label="Email" pointer="/email" type="email" autoComplete="username" value={form.values.email} set={(email) => form.set({ email })} />
      <TextField
        label="Password"
        pointer="/password"
        type="password"
        autoComplete="current-password"
        value={form.values.password}
        set={(password) => form.set({ password })}
      />
    </FormPanel>
  );
}

/** A new account with an organization of its own. */
export function SignUpForm({ home }: { home: string }) {
  const queries = useQueryClient();
  const next = useNext();
  const [initial] = useState({ email: "", name: "", password: "" });
  const form = useForm({
    initial,
    send: async (body) => done(await client.POST("/api/v1/auth/sign-up", { body })),
    after: (session) => {
      begin(queries, session);
      next(home);
    },
  });
  return (
    <FormPanel form={form} submit="Create account" unguarded>
      <TextField label="Name" pointer="/name" autoComplete="name" value={form.values.name} set={(name) => form.set({ name })} />
      <TextField label="Email" pointer="/email" type="email" autoComplete="username" value={form.values.email} set={(email) => form.set({ email })} />
      <NewPasswordField value={form.values.password} set={(password) => form.set({ password })} />
    </FormPanel>
  );
}
