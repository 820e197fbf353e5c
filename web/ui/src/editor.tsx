/** An editor for contracts and queries that marks what is wrong where it is. Loaded when it is first shown. */
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useCallback, useEffect, useRef } from "react";

/** A remark about a place in the text; lines and columns count from 1, 0 is unknown. */
export interface Remark {
  line: number;
  column: number;
  severity: "error" | "warning" | "hint";
  text: string;
}

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-2)", border: "none", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--accent) 7%, transparent)" },
  // Typing over coloured text, browsers write its colour onto the line, which stays when light turns to dark.
  ".cm-line": { color: "inherit !important" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in oklab, var(--accent) 22%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line-strong)", maxWidth: "60ch" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.keyword], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--ink-2)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--warn)" },
  { tag: tags.string, color: "var(--ink)" },
]);

const languages = { yaml, sql: () => sql({ dialect: PostgreSQL }) };

/** The place of a remark in the document: from its column to the line's end. */
function diagnostic(state: EditorState, remark: Remark): Diagnostic {
  const line = state.doc.line(Math.min(Math.max(remark.line, 1), state.doc.lines));
  const from = Math.min(line.from + Math.max(remark.column - 1, 0), line.to);
  return { from, to: Math.max(line.to, from), severity: remark.severity, message: remark.text };
}

/** The editor. `value` is taken over when it changes from outside; `jump` moves the cursor to a line. */
export default function Editor(props: {
  value: string;
  set: (value: string) => void;
  remarks: Remark[];
  label: string;
  jump?: { line: number; column: number };
  language?: keyof typeof languages;
  /** What Ctrl + Enter does. */
  submit?: () => void;
}) {
  const { language = "yaml" } = props;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const now = useRef(props);
  useEffect(() => {
    now.current = props;
  });
  const first = useRef(props.value);
  const submitted = useCallback(() => {
    now.current.submit?.();
    return now.current.submit !== undefined;
  }, []);

  useEffect(() => {
    if (!place.current) return;
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          languages[language](),
          syntaxHighlighting(colours),
          look,
          // No key binding for Tab, so that the keyboard can leave the editor.
          keymap.of([{ key: "Mod-Enter", run: submitted }, ...defaultKeymap, ...historyKeymap]),
          // Said outright, because not every checker knows that editable text takes the focus.
          EditorView.contentAttributes.of({ "aria-label": props.label, tabindex: "0" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) now.current.set(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, [props.label, language, submitted]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === props.value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value } });
  }, [props.value]);

  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, props.remarks.map((remark) => diagnostic(editor.state, remark))));
  }, [props.remarks]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || !props.jump) return;
    const { from } = diagnostic(editor.state, { ...props.jump, severity: "hint", text: "" });
    editor.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
    editor.focus();
  }, [props.jump]);

  return <div ref={place} className="h-full overflow-hidden rounded-lg border border-line-strong" />;
}
