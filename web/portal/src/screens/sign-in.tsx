import { SignInForm, useTitle } from "@gateline/ui";
import { Link, useSearch } from "@tanstack/react-router";

/** Sign-in of the portal. */
export default function SignIn() {
  useTitle("Sign in");
  const search = useSearch({ strict: false });
  return (
    <div className="mx-auto max-w-sm space-y-5 py-8">
      <h1 className="text-2xl">Sign in</h1>
      <SignInForm home="/applications" />
      <p className="text-ink-2">
        New here?{" "}
        <Link to="/sign-up" search={search as never} className="link">
          Create an account
        </Link>
      </p>
    </div>
  );
}
