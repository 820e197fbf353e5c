import { SignUpForm, useTitle } from "@gateline/ui";
import { Link, useSearch } from "@tanstack/react-router";

/** Sign-up of the portal. */
export default function SignUp() {
  useTitle("Sign up");
  const search = useSearch({ strict: false });
  return (
    <div className="mx-auto max-w-sm space-y-5 py-8">
      <div>
        <h1 className="text-2xl">Create an account</h1>
        <p className="mt-1 text-ink-2">To have keys of your own. Reading needs none.</p>
      </div>
      <SignUpForm home="/" />
      <p className="text-ink-2">
        You have one?{" "}
        <Link to="/sign-in" search={search as never} className="link">
          Sign in
        </Link>
      </p>
    </div>
  );
}
