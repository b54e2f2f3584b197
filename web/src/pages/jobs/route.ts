import type { Route } from "../../routes";

export default { path: "/app/jobs", load: () => import("./page"), nav: { text: "jobs", icon: "jobs", section: "work", order: 40 } } satisfies Route;
