import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Button, type ButtonKind } from "./button";
import { ProblemNote } from "./problem";

/**
 * A window above the screen, with a title; Escape and a click beside it close it.
 *
 * The browser's own modal dialog: it keeps the focus inside, gives it back afterwards and hides the rest of the
 * page from assistive technology, without a library.
 */
export function Dialog(props: { open: boolean; onClose: () => void; title: string; children: ReactNode; wide?: boolean; bare?: boolean }) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!props.open) return;
    const before = document.activeElement;
    element.current?.showModal();
    // Only closing gives the focus back by itself, and what is not shown is taken away.
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [props.open]);
  if (!props.open) return null;
  return (
    // The dialog itself is only clicked beside its content; keys reach it as the `cancel` event.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) props.onClose();
      }}
      className={`mx-auto mt-[7vh] max-h-[86vh] w-[calc(100vw-2rem)] overflow-auto rounded-lg border border-line-strong bg-surface text-ink shadow-xl backdrop:bg-[#0b0f12]/45 ${props.wide ? "max-w-2xl" : "max-w-lg"}`}
    >
      <div className={props.bare ? "" : "p-5"}>
        <h2 id={id} className={props.bare ? "sr-only" : "mb-3 text-lg"}>
          {props.title}
        </h2>
        {props.children}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be undone. An `onConfirm` that fails keeps the window open and says why. */
export function Confirm(props: {
  open: boolean;
  onClose: () => void;
  title: string;
  /** The verb on the button. */
  action: string;
  onConfirm: () => unknown;
  children: ReactNode;
}) {
  const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
  const close = () => {
    setState({ busy: false });
    props.onClose();
  };
  const confirm = async () => {
    setState({ busy: true });
    try {
      await props.onConfirm();
      close();
    } catch (error) {
      setState({ busy: false, error: error as Error });
    }
  };
  return (
    <Dialog open={props.open} onClose={close} title={props.title}>
      <div className="space-y-3 text-ink-2">{props.children}</div>
      {state.error && (
        <div className="mt-3">
          <ProblemNote error={state.error} />
        </div>
      )}
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={close}>Cancel</Button>
        <Button kind="danger" busy={state.busy} onClick={() => void confirm()}>
          {props.action}
        </Button>
      </div>
    </Dialog>
  );
}

/** A button that acts at once; a failure is told in a window. */
export function ActionButton(props: { label: string; small?: boolean; kind?: ButtonKind; act: () => Promise<unknown> }) {
  const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
  const act = async () => {
    setState({ busy: true });
    try {
      await props.act();
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, error: error as Error });
    }
  };
  return (
    <>
      <Button kind={props.kind ?? "secondary"} small={props.small ?? false} busy={state.busy} onClick={() => void act()}>
        {props.label}
      </Button>
      <Dialog open={state.error !== undefined} onClose={() => setState({ busy: false })} title="Nothing was changed">
        {state.error && <ProblemNote error={state.error} />}
      </Dialog>
    </>
  );
}

/** A button that asks before it acts. */
export function ConfirmButton(props: { label: string; small?: boolean; title: string; onConfirm: () => unknown; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button kind="danger" small={props.small ?? false} onClick={() => setOpen(true)}>
        {props.label}
      </Button>
      <Confirm open={open} onClose={() => setOpen(false)} title={props.title} action={props.label} onConfirm={props.onConfirm}>
        {props.children}
      </Confirm>
    </>
  );
}
