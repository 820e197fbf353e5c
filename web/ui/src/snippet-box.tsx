import { useId, useState } from "react";
import { type Call, type Language, languages, snippet } from "./snippets";
import { CopyButton } from "./text";

/** A call in curl, JavaScript or Python, ready to run. */
export function SnippetBox({ call }: { call: Call }) {
  const [language, setLanguage] = useState<Language>("curl");
  const id = useId();
  const text = snippet(language, call);
  const move = (by: number) => {
    const next = languages[(languages.indexOf(language) + by + languages.length) % languages.length] ?? "curl";
    setLanguage(next);
    document.querySelector<HTMLElement>(`#${CSS.escape(id + next)}`)?.focus();
  };
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-sunken">
      <div className="flex items-center justify-between border-b border-line pr-2">
        <div role="tablist" aria-label="Language" className="flex">
          {languages.map((each) => (
            <button
              key={each}
              id={id + each}
              type="button"
              role="tab"
              aria-selected={each === language}
              aria-controls={`${id}-text`}
              tabIndex={each === language ? 0 : -1}
              onClick={() => setLanguage(each)}
              onKeyDown={(event) => {
                if (event.key === "ArrowRight") move(1);
                if (event.key === "ArrowLeft") move(-1);
              }}
              className="border-b-2 border-transparent px-3 py-1.5 text-sm text-ink-2 aria-selected:border-accent aria-selected:text-ink"
            >
              {each}
            </button>
          ))}
        </div>
        <CopyButton text={text} label={`Copy ${language}`} />
      </div>
      <pre id={`${id}-text`} role="tabpanel" aria-labelledby={id + language} tabIndex={0} className="overflow-x-auto p-3 leading-relaxed">
        {text}
      </pre>
    </div>
  );
}
