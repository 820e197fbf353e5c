/** The reference of an API, shown by Scalar. Loaded when it is first shown: it is larger than everything else. */
import { createApiReference } from "@scalar/api-reference";
import "@scalar/api-reference/style.css";
import { useEffect, useRef } from "react";

/** How Scalar must behave here: nothing leaves our origin, and nothing of it advertises itself. */
const manners = {
  telemetry: false,
  withDefaultFonts: false,
  proxyUrl: "",
  externalUrls: { dashboardUrl: "", registryUrl: "", proxyUrl: "", apiBaseUrl: "" },
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
  hideClientButton: true,
  hideDarkModeToggle: true,
  isEditable: false,
  theme: "none",
  metaData: { title: undefined },
} as const;

/** Our colours in Scalar's words. */
const customCss = `
.scalar-app {
  --scalar-font: var(--font-sans); --scalar-font-code: var(--font-mono);
  --scalar-background-1: var(--bg); --scalar-background-2: var(--sunken); --scalar-background-3: var(--hover);
  --scalar-color-1: var(--ink); --scalar-color-2: var(--ink-2); --scalar-color-3: var(--ink-2);
  --scalar-color-accent: var(--accent); --scalar-background-accent: var(--accent-soft);
  --scalar-border-color: var(--line);
  --scalar-color-green: var(--ok); --scalar-color-red: var(--bad); --scalar-color-orange: var(--warn);
  --scalar-color-yellow: var(--warn); --scalar-color-blue: var(--accent); --scalar-color-purple: var(--ink);
  --scalar-button-1: var(--accent); --scalar-button-1-color: var(--on-accent); --scalar-button-1-hover: var(--accent-hover);
  --scalar-radius: 5px; --scalar-radius-lg: 8px;
  --scalar-sidebar-background-1: var(--bg); --scalar-sidebar-color-1: var(--ink); --scalar-sidebar-color-2: var(--ink-2);
  --scalar-sidebar-border-color: var(--line); --scalar-sidebar-item-hover-background: var(--hover);
  --scalar-sidebar-item-active-background: var(--accent-soft); --scalar-sidebar-color-active: var(--accent);
  --scalar-sidebar-search-background: var(--surface); --scalar-sidebar-search-border-color: var(--line);
  --scalar-sidebar-search-color: var(--ink-2);
}`;

/** Whether the page is dark now, by choice or by the system. */
function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The reference of an OpenAPI document; its try-it calls go to the document's first server. */
export default function Reference({ document: content }: { document: Record<string, unknown> }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const title = document.title;
    // An element of its own, because Scalar's application cannot be mounted twice on one.
    const element = place.current.appendChild(document.createElement("div"));
    const reference = createApiReference(element, {
      ...manners,
      content,
      customCss,
      forceDarkModeState: isDark() ? "dark" : "light",
    });
    document.title = title;
    // Scalar brings a second <main> into the page, which may have one.
    const watch = new MutationObserver(() => {
      for (const main of element.querySelectorAll("main:not([role])")) main.setAttribute("role", "group");
    });
    watch.observe(element, { childList: true, subtree: true });
    return () => {
      watch.disconnect();
      reference.destroy();
      element.remove();
    };
  }, [content]);
  return <div ref={place} className="-mx-6 min-h-[60vh]" />;
}
