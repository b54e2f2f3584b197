import type { Route } from "../../routes";

const load = () => import("./page");
export default [
  { path: "/app/projects", load, nav: { text: "projects", icon: "folder", section: "manage", order: 70 } },
  { path: "/app/projects/:open", load },
] satisfies Route[];
