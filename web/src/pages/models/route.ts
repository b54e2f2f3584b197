import type { Route } from "../../routes";

export default [
  { path: "/app/models", load: () => import("./page"), nav: { text: "registry.title", icon: "models", section: "work", order: 50 } },
  { path: "/app/models/:name", load: () => import("./model") },
] satisfies Route[];
