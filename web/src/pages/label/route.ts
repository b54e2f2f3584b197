import type { Route } from "../../routes";

export default { path: "/app/datasets/:id/label", load: () => import("./page"), role: "engineer" } satisfies Route;
