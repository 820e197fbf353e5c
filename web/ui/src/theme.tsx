import { useState } from "react";

const KEY = "gateline.theme";
const themes = ["system", "light", "dark"] as const;
type Theme = (typeof themes)[number];

function chosen(): Theme {
  const kept = localStorage.getItem(KEY);
  return themes.find((theme) => theme === kept) ?? "system";
}

/** Shows the theme that was chosen before. */
export function applyTheme(): void {
  const theme = chosen();
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Chooses between light, dark and what the system says. */
export function ThemeChoice() {
  const [theme, setTheme] = useState(chosen);
  return (
    <select
      aria-label="Theme"
      className="rounded-md border border-line bg-transparent px-1.5 py-1 text-sm text-ink-2 hover:text-ink [&>option]:bg-surface"
      value={theme}
      onChange={(event) => {
        localStorage.setItem(KEY, event.target.value);
        setTheme(chosen());
        applyTheme();
      }}
    >
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}
