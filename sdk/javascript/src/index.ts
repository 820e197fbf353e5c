export { compile } from "./evaluation/compiling.js";
