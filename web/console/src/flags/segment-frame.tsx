/** Head and tabs of a segment around each of its screens. */
import { client, ifMatch, read } from "@gateline/api-client";
import { ButtonLink, ConfirmButton, Copyable, Detail, Loaded, Time, useGo, useParam } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Segment } from "./model";

/** The frame. */
export function SegmentFrame(props: { children: (segment: Segment) => ReactNode }) {
  const id = useParam("id");
  const go = useGo();
  const query = useQuery(read("/api/v1/segments/{id}", { params: { path: { id } } }));
  return (
    <Loaded query={query}>
      {(segment) => (
        <Detail
          from={["/segments", "Segments"]}
          title={segment.title || segment.key}
          actions={
            <>
              <ButtonLink to={`/segments/${id}/edit`}>Change</ButtonLink>
              <ConfirmButton
                label="Delete"
                title={`Delete ${segment.key}?`}
                onConfirm={async () => {
                  await client.DELETE("/api/v1/segments/{id}", { params: { path: { id }, header: ifMatch(segment) } });
                  go("/segments");
                }}
              >
                A segment that a flag or another segment names cannot be deleted; you are told which.
              </ConfirmButton>
            </>
          }
          tabs={{
            base: `/segments/${id}`,
            of: [
              ["", "Overview"],
              ["history", "History"],
            ],
          }}
          facts={[
            ["Key", <Copyable key="key" text={segment.key} />],
            ["Version", segment.revision],
            ["Changed", <Time key="changed" at={segment.updated_at} />],
            ["Made", <Time key="made" at={segment.created_at} />],
            ["Id", <Copyable key="id" text={segment.id} />],
            ...(segment.managed_by ? [["Kept in the folder", segment.managed_by] as [string, string]] : []),
          ]}
        >
          {props.children(segment)}
        </Detail>
      )}
    </Loaded>
  );
}
