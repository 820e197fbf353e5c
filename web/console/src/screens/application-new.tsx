import { ApplicationForm, Detail, useGo } from "@gateline/ui";

/** A new application. */
export default function ApplicationNew() {
  const go = useGo();
  return (
    <Detail from={["/applications", "Applications"]} title="Create an application" text="A program that calls APIs. Give each program its own, so that its calls can be told apart.">
      <ApplicationForm cancel="/applications" after={(id) => go(`/applications/${id}`)} />
    </Detail>
  );
}
