/** Starts the program under test, and a small service for it to stand in front of. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What the program writes into its ready file. */
export interface Ready {
  gateway: string;
  control: string;
  admin: { email: string; password: string; token: string };
}

const START_MS = 120_000;

/** A service with pets. */
async function startService(): Promise<{ url: string; stop: () => void }> {
  const server = createServer((request, response) => {
    const missing = request.url?.startsWith("/missing");
    response.writeHead(missing ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ path: request.url, pets: [{ id: 1, name: "Toto" }] }));
  });
  await new Promise<void>((listening) => {
    server.listen(0, "127.0.0.1", listening);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** Waits until the program says that everything answers; fails with its output when it ends before. */
async function untilReady(program: ChildProcess, file: string, output: () => string): Promise<Ready> {
  for (let waited = 0; waited < START_MS; waited += 100) {
    if (existsSync(file)) {
      const text = readFileSync(file, "utf8");
      if (text.trim().endsWith("}")) return JSON.parse(text) as Ready;
    }
    if (program.exitCode !== null) break;
    await new Promise((wait) => {
      setTimeout(wait, 100);
    });
  }
  throw new Error(`gateline did not become ready. Its output:\n${output()}`);
}

export default async function setUp(): Promise<() => Promise<void>> {
  const service = await startService();
  process.env["E2E_SERVICE"] = service.url;
  if (process.env["E2E_READY"]) return async () => service.stop();

  const programs = process.env["GATELINE_PROGRAMS"] ?? resolve(import.meta.dirname, "../../target/debug");
  const binary = process.env["GATELINE_BIN"] ?? join(programs, "gateline");
  if (!existsSync(binary)) throw new Error(`${binary} is not there. Build it with \`make build\`, or name it in GATELINE_BIN.`);
  const directory = mkdtempSync(join(tmpdir(), "gateline-e2e-"));
  const file = join(directory, "ready.json");
  const flags = ["--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0", ...(process.env["E2E_DEMO"] ? [] : ["--no-demo"])];
  // Settings of whoever runs the tests are not the program's; an unknown one would stop it.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GATELINE_")));
  // Calls can be asked for soon enough for a test that waits.
  env["GATELINE_LAKE_COMMIT_INTERVAL_MS"] = "300";
  env["GATELINE_ALERTS_INTERVAL_SECONDS"] = "1";
  const program = spawn(binary, ["up", "--data-dir", join(directory, "data"), ...flags, "--ready-file", file], { cwd: directory, env });
  let output = "";
  for (const stream of [program.stdout, program.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000);
    });
  }
  const stop = async () => {
    service.stop();
    if (program.exitCode === null) {
      const ended = new Promise((end) => {
        program.once("exit", end);
      });
      program.kill("SIGINT");
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    process.env["E2E_READY"] = JSON.stringify(await untilReady(program, file, () => output));
  } catch (error) {
    await stop();
    throw error;
  }
  return async () => {
    delete process.env["E2E_READY"];
    await stop();
  };
}
