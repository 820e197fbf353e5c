import { defineConfig } from "@playwright/test";

// The browser is Debian's; nothing is downloaded. CHROMIUM names another one.
export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  globalSetup: "./server.ts",
  outputDir: "../node_modules/.e2e",
  // One program is tested, and its usage counters are part of what is looked at.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  use: {
    viewport: { width: 1360, height: 860 },
    screenshot: "only-on-failure",
    // Colours are looked at when they have arrived.
    contextOptions: { reducedMotion: "reduce" },
    permissions: ["clipboard-read", "clipboard-write"],
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    },
  },
});
