/** Colours are the design tokens of src/tokens.css, so that light and dark are one class each. */
const token = (name) => `rgb(var(--${name}) / <alpha-value>)`;

export default {
  content: ["./index.html", "./src/**/*.{ts,tsx}"],
  theme: {
    extend: {
      colors: Object.fromEntries(
        ["background", "surface", "raised", "foreground", "muted", "border", "primary", "primary-foreground",
          "success", "warning", "info", "destructive"].map((name) => [name, token(name)])),
      borderRadius: { DEFAULT: "var(--radius)" },
      minHeight: { 10: "2.5rem", 11: "2.75rem" },
    },
  },
};
