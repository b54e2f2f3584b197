// What jsdom lacks of a browser and the app asks for; and an empty page after each test.
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

configure({ asyncUtilTimeout: 20_000 }); // what never comes fails; a machine that is busy does not
if (typeof window === "object") {
  const none = () => undefined;
  window.matchMedia = (media) => ({
    matches: false, media, onchange: null, addEventListener: none, removeEventListener: none, addListener: none, removeListener: none,
    dispatchEvent: () => false,
  });
  window.scrollTo = none;
  window.ResizeObserver = class {
    observe = none;
    unobserve = none;
    disconnect = none;
  };
  window.IntersectionObserver = class {
    readonly root = null;
    readonly rootMargin = "";
    readonly scrollMargin = "";
    readonly thresholds = [];
    observe = none;
    unobserve = none;
    disconnect = none;
    takeRecords = () => [];
  };
  // jsdom lays nothing out: every box is 600 x 400, and scrolls where it is told to.
  Object.defineProperty(Element.prototype, "clientWidth", { configurable: true, get: () => 600 });
  Object.defineProperty(Element.prototype, "clientHeight", { configurable: true, get: () => 400 });
  Element.prototype.scrollTo = function (this: Element, to?: ScrollToOptions | number) {
    if (typeof to === "object") this.scrollTop = to.top ?? this.scrollTop;
    this.dispatchEvent(new Event("scroll"));
  } as typeof Element.prototype.scrollTo;
  Element.prototype.scrollIntoView = none;
  Element.prototype.hasPointerCapture = () => false;
  Element.prototype.setPointerCapture = none;
  Element.prototype.releasePointerCapture = none;
  HTMLCanvasElement.prototype.getContext = () => null; // as jsdom answers, without a word on it each time
  URL.createObjectURL = () => "blob:test";
  URL.revokeObjectURL = none;
}

afterEach(() => {
  if (typeof window !== "object") return; // a test that asked for Node
  cleanup();
  localStorage.clear();
  window.history.replaceState(null, "", "/");
});
