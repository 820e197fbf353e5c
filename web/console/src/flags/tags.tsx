/** Words to find flags by, and people who answer for them: each leads to the flags that have it. */
import { Link } from "@tanstack/react-router";

/** The tags of a flag. */
export const Tags = ({ of }: { of: string[] }) =>
  of.length > 0 && (
    <span className="flex flex-wrap gap-1">
      {of.map((tag) => (
        <Link key={tag} to="/flags" search={{ tag } as never} className="rounded-sm border border-line px-1.5 text-xs text-ink-2 hover:border-line-strong hover:text-ink">
          {tag}
        </Link>
      ))}
    </span>
  );

/** Who answers for a flag. */
export const Owner = ({ of }: { of: string }) => (
  <Link to="/flags" search={{ owner: of } as never} className="link">
    {of}
  </Link>
);
