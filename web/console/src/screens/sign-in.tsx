import { Brand, Command, SignInForm, useTitle } from "@gateline/ui";

/** Sign-in of the console. */
export default function SignIn() {
  useTitle("Sign in");
  return (
    <div className="space-y-6">
      <Brand part="console" />
      <h1 className="text-2xl">Sign in</h1>
      <SignInForm home="/" />
      <div className="space-y-2 border-t border-line pt-5 text-sm text-ink-2">
        <p>The first administrator's password was printed when Gateline started, and stands in the data directory:</p>
        <Command label="Command" text="cat data/admin.json" />
        <p>
          You want to call an API, not offer one?{" "}
          <a className="link" href="/portal/">
            Go to the portal
          </a>
        </p>
      </div>
    </div>
  );
}
