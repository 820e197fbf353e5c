import { resolve } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";

const at = (path: string) => resolve(import.meta.dirname, path);

/** The server that `npm run dev` passes API calls to. */
const control = process.env["GATELINE_URL"] ?? "http://127.0.0.1:8081";

/** Gives every address of a page that page, as the control plane does. */
const addresses: Plugin = {
  name: "addresses",
  configureServer: ({ middlewares }) => {
    middlewares.use((request, _, next) => {
      const [, page] = /^\/(console|portal)(?:\/|$)/.exec(request.url ?? "") ?? [];
      if (page && request.headers.accept?.includes("text/html")) request.url = `/${page}/index.html`;
      next();
    });
  },
};

// One build for all pages, so that what they share is built, embedded and cached once.
export default defineConfig({
  plugins: [react(), tailwindcss(), addresses],
  publicDir: at("public"),
  build: {
    outDir: at("dist"),
    // dist/.gitkeep stays, because the Rust build watches the folder; scripts/compress.mjs removes what is old.
    emptyOutDir: false,
    manifest: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: { polyfill: false },
    // A font or image as data: URL would need a weaker content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 5000,
    rolldownOptions: {
      output: {
        // What every page needs, in one file instead of a dozen.
        codeSplitting: {
          groups: [
            {
              name: "vendor",
              test: /node_modules\/(react|react-dom|scheduler|openapi-fetch|@tanstack\/(react-router|react-query|react-store|router-core|query-core|history|store))\//,
            },
          ],
        },
      },
      input: {
        console: at("console/index.html"),
        portal: at("portal/index.html"),
        reference: at("reference/index.html"),
      },
    },
  },
  server: {
    // With the slash behind it: `/api-client` is a folder of ours.
    proxy: Object.fromEntries(["/api/", "/docs/", "/health/"].map((path) => [path, { target: control }])),
  },
});
