import { ApplicationEdit } from "@gateline/ui";
import { SignedIn } from "../shell";

/** Changes an application. */
export default function ApplicationEditScreen() {
  return (
    <SignedIn>
      <ApplicationEdit list="/applications" />
    </SignedIn>
  );
}
