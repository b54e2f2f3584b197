// Entry of the visitors' page: no account, no session, a bundle of its own.  Of the
// fonts only Inter's Latin comes along, whole and at once (inter.css): the Korean one comes piece by piece while one
// reads, and here nothing may go out after loading.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { LanguageProvider } from "../i18n";
import { startTheme } from "../theme";
import "./inter.css";
import "../tokens.css";
import { Visitor } from "./page";

startTheme();
const root = document.getElementById("root");
if (!root) throw new Error("try.html has no #root");
createRoot(root).render(<StrictMode><LanguageProvider><Visitor token={window.location.hash.slice(1)} /></LanguageProvider></StrictMode>);
