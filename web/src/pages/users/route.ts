import type { Route } from "../../routes";

export default { path: "/app/users", load: () => import("./page"), nav: { text: "users", icon: "people", section: "manage", order: 80 }, role: "manager" } satisfies Route;
