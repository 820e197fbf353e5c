import { ApplicationForm, Detail, useGo } from "@gateline/ui";
import { SignedIn } from "../shell";

/** A new application. */
export default function ApplicationNew() {
  const go = useGo();
  return (
    <SignedIn>
      <Detail from={["/applications", "Applications"]} title="Create an application" text="One for each program, so that keys and calls can be told apart.">
        <ApplicationForm cancel="/applications" after={(id) => go(`/applications/${id}`)} />
      </Detail>
    </SignedIn>
  );
}
