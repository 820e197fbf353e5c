import { useId, useState } from "react";
import { type Call, languages, snippet } from "./snippets";
import { CopyButton } from "./text";

/** One text in several languages, one of which is shown. */
export function SnippetTabs(props: { of: [language: string, text: string][] }) {
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const [language, text] = props.of[chosen] ?? ["", ""];
  const move = (by: number) => {
    const next = (chosen + by + props.of.length) % props.of.length;
    setChosen(next);
    document.querySelector<HTMLElement>(`#${CSS.escape(`${id}-${next}`)}`)?.focus();
  };
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-sunken">
      <div className="flex items-center justify-between border-b border-line pr-2">
        <div role="tablist" aria-label="Language" className="flex">
          {props.of.map(([each], place) => (
            <button
              key={each}
              id={`${id}-${place}`}
              type="button"
              role="tab"
              aria-selected={place === chosen}
              aria-controls={`${id}-text`}
              tabIndex={place === chosen ? 0 : -1}
              onClick={() => setChosen(place)}
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
      <pre id={`${id}-text`} role="tabpanel" aria-labelledby={`${id}-${chosen}`} tabIndex={0} className="overflow-x-auto p-3 leading-relaxed">
        {text}
      </pre>
    </div>
  );
}

/** A call in curl, JavaScript or Python, ready to run. */
export const SnippetBox = ({ call }: { call: Call }) => <SnippetTabs of={languages.map((language) => [language, snippet(language, call)])} />;
