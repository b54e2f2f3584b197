import type { Route } from "../../routes";

export default { path: "/app/operate", load: () => import("./page"), nav: { text: "operate", icon: "settings", section: "manage", order: 85 }, role: "manager" } satisfies Route;
