import type { Route } from "../../routes";

export default { path: "/app", load: () => import("./page"), nav: { text: "home", icon: "home", section: "work", order: 10 } } satisfies Route;
