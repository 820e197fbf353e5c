import { type Schemas, read } from "@gateline/api-client";
import { ApplicationActions, Copyable, Detail, Loaded, Time, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { SignedIn } from "../shell";

const tabs: [path: string, title: string][] = [
  ["", "Subscriptions"],
  ["keys", "Keys"],
  ["usage", "Usage"],
];

/** Head and tabs of an application around each of its screens. */
export function ApplicationFrame({ children }: { children: (application: Schemas["Application"]) => ReactNode }) {
  return (
    <SignedIn>
      <Frame>{children}</Frame>
    </SignedIn>
  );
}

function Frame({ children }: { children: (application: Schemas["Application"]) => ReactNode }) {
  const id = useParam("id");
  const query = useQuery(read("/api/v1/applications/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(application) => (
        <Detail
          from={["/applications", "Applications"]}
          title={application.title}
          text={application.description}
          actions={<ApplicationActions application={application} list="/applications" />}
          tabs={{ base: `/applications/${id}`, of: tabs }}
          facts={[
            ["Name", <code key="name">{application.name}</code>],
            ["Id", <Copyable key="id" text={application.id} />],
            ["Made", <Time key="made" at={application.created_at} />],
          ]}
        >
          {children(application)}
        </Detail>
      )}
    </Loaded>
  );
}
