import { defineConfig } from "@playwright/test";
import tests from "./playwright.config.ts";

// The pictures of the README, taken from the program with its sample API and real calls.
process.env["E2E_DEMO"] = "yes";

export default defineConfig({
  ...tests,
  testDir: "./pictures",
  testMatch: "*.picture.ts",
  outputDir: "../node_modules/.pictures",
  timeout: 300_000,
  use: { ...tests.use, viewport: { width: 1440, height: 900 }, colorScheme: "light" },
});
