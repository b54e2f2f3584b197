/// <reference types="vite/client" />

declare module "virtual:engine" {
  /** The address of the engine's module; null: this build has none. */
  const url: string | null;
  export default url;
}
