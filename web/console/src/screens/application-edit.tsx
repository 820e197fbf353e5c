import { ApplicationEdit } from "@gateline/ui";

/** Changes an application. */
export default function ApplicationEditScreen() {
  return <ApplicationEdit list="/applications" />;
}
