import type { Route } from "../../routes";

export default { path: "/app/train", load: () => import("./page"), nav: { text: "train", icon: "train", section: "work", order: 30 } } satisfies Route;
