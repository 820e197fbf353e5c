import { useEffect, useState } from "react";

/** Shows CommonMark; plain text until the reader of it is loaded. */
export function Markdown({ text }: { text: string }) {
  const [shown, setShown] = useState<{ __html: string }>();
  useEffect(() => {
    let current = true;
    void import("./markdown-html").then(({ html }) => {
      if (current) setShown({ __html: html(text) });
    });
    return () => {
      current = false;
    };
  }, [text]);
  if (!shown) return <div className="prose whitespace-pre-wrap">{text}</div>;
  // eslint-disable-next-line react/no-danger
  return <div className="prose" dangerouslySetInnerHTML={shown} />;
}

/** The first words of a CommonMark text's first paragraph, without its marks, for a list. */
export function summary(text: string, length = 160): string {
  const [paragraph = ""] = text.trim().split(/\n\s*\n/);
  const plain = paragraph
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[`*_#>]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return plain.length <= length ? plain : `${plain.slice(0, plain.lastIndexOf(" ", length))}…`;
}
