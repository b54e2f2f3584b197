import type { Route } from "../../routes";

export default { path: "/app/jobs/:id", load: () => import("./page") } satisfies Route;
