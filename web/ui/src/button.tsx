import { Link } from "@tanstack/react-router";
import type { ButtonHTMLAttributes, ReactNode } from "react";

const looks = {
  primary: "bg-accent text-on-accent border-transparent hover:bg-accent-hover font-medium",
  secondary: "bg-surface text-ink border-line-strong hover:bg-hover",
  danger: "bg-surface text-bad border-line-strong hover:bg-bad-soft",
  plain: "text-ink-2 border-transparent hover:bg-hover hover:text-ink",
};

/** How much a button asks for attention; one `primary` per screen. */
export type ButtonKind = keyof typeof looks;

const shape =
  "inline-flex items-center justify-center gap-1.5 rounded-md border whitespace-nowrap select-none transition-colors disabled:opacity-55 aria-disabled:opacity-55";
const sizes = { normal: "min-h-8.5 px-3", small: "min-h-7 px-2 text-sm" };

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  /** Under way: cannot be pressed again, and says so. */
  busy?: boolean;
  /** For the rows of a table. */
  small?: boolean;
}

/** A button; of type `button` unless told otherwise. */
export function Button({ kind = "secondary", busy, small, className, children, type = "button", onClick, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      // eslint-disable-next-line react/button-has-type
      type={type}
      // Not `disabled`, which would take the focus away from whoever pressed it with the keyboard.
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
      className={`${shape} ${sizes[small ? "small" : "normal"]} ${looks[kind]} ${className ?? ""}`}
    >
      {children}
      {busy && <span aria-hidden="true">…</span>}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink(props: { to: string; kind?: ButtonKind; search?: Record<string, string>; children: ReactNode }) {
  return (
    <Link to={props.to} {...(props.search ? { search: props.search } : {})} className={`${shape} ${sizes.normal} ${looks[props.kind ?? "secondary"]}`}>
      {props.children}
    </Link>
  );
}
