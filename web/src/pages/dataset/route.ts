import type { Route } from "../../routes";

export default { path: "/app/datasets/:id", load: () => import("./page") } satisfies Route;
