import type { Route } from "../../routes";

export default { path: "/app/account", load: () => import("./page"), nav: { text: "account", icon: "person", section: "manage", order: 90 } } satisfies Route;
