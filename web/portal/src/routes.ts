import type { Routes } from "@gateline/ui";

/** Every screen; a browser test visits each of them. */
export const routes: Routes = {
  "/": () => import("./screens/catalogue"),
  "/products/$id": () => import("./screens/product"),
  "/products/$id/reference": () => import("./screens/reference"),
  "/products/$id/plans": () => import("./screens/plans"),
  "/products/$id/subscribe": () => import("./screens/subscribe"),
  "/sign-in": () => import("./screens/sign-in"),
  "/sign-up": () => import("./screens/sign-up"),
  "/applications": () => import("./screens/applications"),
  "/applications/new": () => import("./screens/application-new"),
  "/applications/$id": () => import("./screens/application"),
  "/applications/$id/edit": () => import("./screens/application-edit"),
  "/applications/$id/keys": () => import("./screens/application-keys"),
  "/applications/$id/usage": () => import("./screens/application-usage"),
  "/usage": () => import("./screens/usage"),
};
