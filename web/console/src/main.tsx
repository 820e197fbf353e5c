/** The console: for those who offer APIs. */
import { start } from "@gateline/ui";
import "@gateline/ui/styles.css";
import { routes } from "./routes";
import { Shell } from "./shell";

start({ base: "/console", shell: Shell, routes });
