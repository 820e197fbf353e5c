import { ProblemError, type Schemas, client, done } from "@gateline/api-client";
import { Brand, Button, FormPanel, Loaded, NewPasswordField, ProblemNote, SignInForm, TextField, moment, useForm, useGo, useSession, useTitle } from "@gateline/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import type { ReactNode } from "react";

type Details = Schemas["InvitationDetails"];

/** Where the link of an invitation leads: for those who are signed in, who have an account, and who have none. */
export default function InvitationScreen() {
  useTitle("Invitation");
  // What follows `#` is not sent to any server by the browser.
  const token = useLocation({ select: (location) => location.hash });
  return (
    <div className="space-y-6">
      <Brand part="console" />
      {token ? <Invitation token={token} /> : <NoToken />}
    </div>
  );
}

/** A link of which the part after `#` is missing. */
function NoToken() {
  return (
    <>
      <h1 className="text-2xl">The link is not whole</h1>
      <p className="text-ink-2">Copy it again, with everything that follows the # in it.</p>
    </>
  );
}

function Invitation({ token }: { token: string }) {
  const { query: session } = useSession();
  const query = useQuery({
    queryKey: ["invitation", token],
    queryFn: async () => done(await client.POST("/api/v1/auth/invitations/read", { body: { token } })),
    staleTime: Infinity,
    retry: false,
  });
  if (query.error) {
    return (
      <>
        <h1 className="text-2xl">Invitation</h1>
        {query.error instanceof ProblemError && query.error.transient ? (
          <ProblemNote error={query.error} retry={() => void query.refetch()} />
        ) : (
          <ProblemNote error={query.error} />
        )}
      </>
    );
  }
  return (
    <Loaded query={query}>
      {(details) => (
        <>
          <div>
            <h1 className="text-2xl break-words">Join {details.organization}</h1>
            <p className="mt-2 text-ink-2">
              <b className="font-medium break-all text-ink">{details.email}</b> is invited as <b className="font-medium text-ink">{details.role}</b>
              {details.workspace && ` of the workspace ${details.workspace}`}. The invitation ends on {moment(details.expires_at)}.
            </p>
          </div>
          <Loaded query={session}>{(signedIn) => <Accept token={token} details={details} email={signedIn?.user.email} />}</Loaded>
        </>
      )}
    </Loaded>
  );
}

/** The way to accept, for who is there. */
function Accept(props: { token: string; details: Details; email: string | undefined }) {
  const { details, email, token } = props;
  const { signOut } = useSession();
  if (email === undefined) {
    if (!details.has_account) return <NewAccount token={token} />;
    return (
      <Part title="Sign in to accept" text="You have an account with this address.">
        <SignInForm email={details.email} />
      </Part>
    );
  }
  if (email.toLowerCase() === details.email.toLowerCase()) return <Join token={token} />;
  return (
    <Part title="The invitation is for somebody else" text={`You are signed in as ${email}.`}>
      <Button onClick={() => void signOut()}>Sign out</Button>
    </Part>
  );
}

function Part(props: { title: string; text?: string; children: ReactNode }) {
  return (
    <section className="space-y-4 border-t border-line pt-5">
      <div>
        <h2 className="text-lg">{props.title}</h2>
        {props.text && <p className="break-words text-ink-2">{props.text}</p>}
      </div>
      {props.children}
    </section>
  );
}

/** Accepts for who is signed in. */
function Join({ token }: { token: string }) {
  const { join } = useSession();
  const go = useGo();
  const accept = useMutation({
    mutationFn: async () => {
      const membership = done(await client.POST("/api/v1/auth/invitations/accept", { body: { token } })) as Schemas["Membership"];
      await join(membership.organization_id);
    },
    onSuccess: () => go("/"),
  });
  return (
    <div className="space-y-4">
      {accept.error && <ProblemNote error={accept.error} />}
      <Button kind="primary" busy={accept.isPending} onClick={() => accept.mutate()}>
        Accept the invitation
      </Button>
    </div>
  );
}

/** Accepts with a new account. */
function NewAccount({ token }: { token: string }) {
  const { begin } = useSession();
  const go = useGo();
  const form = useForm({
    initial: { name: "", password: "" },
    send: async (values) => done(await client.POST("/api/v1/auth/invitations/accept", { body: { token, ...values } })) as Schemas["WebSession"],
    after: (session) => {
      begin(session);
      go("/");
    },
  });
  const { values, set } = form;
  return (
    <Part title="Create your account">
      <FormPanel form={form} submit="Create account and join" unguarded>
        <TextField label="Name" pointer="/name" autoComplete="name" value={values.name} set={(name) => set({ name })} />
        <NewPasswordField value={values.password} set={(password) => set({ password })} />
      </FormPanel>
    </Part>
  );
}
