import type { Route } from "../../routes";

export default { path: "/app/try", load: () => import("./page"), nav: { text: "bench.nav", icon: "try", section: "work", order: 60 } } satisfies Route;
