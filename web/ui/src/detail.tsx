/**
 * The detail template: one thing, its state, what can be done with it, its facts, and screens below it as tabs.
 * See web/README.md for how a screen uses it.
 */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { PageHeader, Tabs } from "./page";
import { Facts } from "./text";

interface DetailProps {
  /** The list it comes from: address and title. */
  from: [path: string, title: string];
  title: string;
  /** Its state, as badges. */
  status?: ReactNode;
  text?: ReactNode;
  /** What can be done with it. */
  actions?: ReactNode;
  /** Screens below: address and their last segments, "" for the first. */
  tabs?: { base: string; of: [path: string, title: string][] };
  /** What is known of it; shown above the rest. */
  facts?: [name: string, value: ReactNode][];
  children?: ReactNode;
}

/** One thing. */
export function Detail(props: DetailProps) {
  const [path, list] = props.from;
  return (
    <>
      <PageHeader
        title={props.title}
        above={
          <Link to={path} className="hover:text-ink hover:underline">
            {list}
          </Link>
        }
        status={props.status}
        text={props.text}
        actions={props.actions}
      />
      {props.tabs && <Tabs label={`Parts of ${props.title}`} base={props.tabs.base} tabs={props.tabs.of} />}
      {props.facts && (
        <div className={`mb-8 border-b border-line pb-5 ${props.tabs ? "" : "border-t pt-4"}`}>
          <Facts of={props.facts} />
        </div>
      )}
      {props.children}
    </>
  );
}
