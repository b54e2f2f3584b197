import type { Route } from "../../routes";

export default { path: "/app/compare", load: () => import("./page"), nav: { text: "compare", icon: "compare", section: "work", order: 50 } } satisfies Route;
