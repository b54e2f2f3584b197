import type { Route } from "../../routes";

export default { path: "/app/datasets", load: () => import("./page"), nav: { text: "datasets", icon: "data", section: "work", order: 20 } } satisfies Route;
