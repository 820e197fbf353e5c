/** The sign: two posts and a gate that opens. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect x="3" y="6" width="5" height="20" rx="1.5" fill="currentColor" />
      <rect x="24" y="6" width="5" height="20" rx="1.5" fill="currentColor" />
      <rect x="10.5" y="19.5" width="11" height="6.5" rx="1.5" fill="var(--accent)" transform="rotate(-42 10.5 26)" />
    </svg>
  );
}

/** Sign and name. */
export function Brand({ part }: { part: string }) {
  return (
    <span className="inline-flex items-center gap-2 font-semibold tracking-tight">
      <Mark />
      <span>
        Gateline <span className="font-normal text-ink-2">{part}</span>
      </span>
    </span>
  );
}
