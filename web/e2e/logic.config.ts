import { defineConfig } from "@playwright/test";

/** Tests of plain functions; no browser, no server. */
export default defineConfig({ testDir: "./logic", outputDir: "../node_modules/.logic", reporter: [["list"]] });
