// Entry of the web app: providers around the pages.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "./api";
import { App } from "./app";
import { LanguageProvider } from "./i18n";
import { preload } from "./routes";
import { startTheme } from "./theme";
import "@fontsource-variable/inter/wght.css";
import "./tokens.css";

startTheme();
preload(location.pathname); // beside the question who is logged in
const client = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; what is only unreachable or busy is asked again.
      retry: (count, error) => count < 2 && !(error instanceof Problem && error.status > 0 && error.status < 500),
      refetchOnWindowFocus: true, // what others did meanwhile, once it is looked at again
      staleTime: 5_000,
    },
  },
});
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <LanguageProvider>
        <App />
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
);
void import("../../build/fonts/hangul.css"); // fonts.mjs; which characters are where, when the first page stands
