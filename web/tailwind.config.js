/** Colours are the design tokens of src/tokens.css, so that light and dark are one class each. */
const token = (name) => `rgb(var(--${name}) / <alpha-value>)`;

export default {
  content: ["./index.html", "./try.html", "./src/**/*.{ts,tsx}"],
  theme: {
    extend: {
      colors: Object.fromEntries(
        ["background", "surface", "raised", "foreground", "muted", "border", "primary", "primary-foreground",
          "veil", "on-picture", "success", "warning", "info", "destructive"].map((name) => [name, token(name)])),
      borderRadius: { DEFAULT: "var(--radius)" },
      keyframes: { fade: { from: { opacity: "0" }, to: { opacity: "1" } } },
      animation: { fade: "fade 120ms ease-out" },
      minHeight: { 10: "2.5rem", 11: "2.75rem" },
    },
  },
};
