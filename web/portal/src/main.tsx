/** The portal: for those who call APIs. */
import { start } from "@gateline/ui";
import "@gateline/ui/styles.css";
import { routes } from "./routes";
import { Shell } from "./shell";

start({ base: "/portal", shell: Shell, routes });
