// What a careful eye finds at once and a test seldom looks for, by the geometry of the page as it stands: a page wider
// than the screen, a word that is cut off, text that runs out of its button or its card, texts that lie on each other.
//
// What scrolls by itself (a table, a row of tabs) may be wider than its place.  A name that people gave may end in an
// ellipsis; a text of the app's own catalogue may not.
import { messages } from "../../web/src/messages";
import type { Page } from "./browser";

const SLACK = 1.5; // pixels: parts of one are rounded either way
const own = Object.values(messages).flat().filter((text) => !text.includes("{"));

/** Runs in the page. */
function look(catalogue: string[], slack: number): string[] {
  const known = new Set(catalogue);
  const found: string[] = [];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) found.push(`the page is ${wide} pixels wider than the screen`);
  const top = [...document.querySelectorAll("[role=dialog], [role=alertdialog], [role=menu]")].at(-1);
  const scrolls = (v: string) => v === "auto" || v === "scroll";
  const cuts = (v: string) => v === "hidden" || v === "clip";
  const inked = (style: CSSStyleDeclaration) => parseFloat(style.borderRightWidth) > 0 || !/rgba\(.*, 0\)|transparent/.test(style.backgroundColor);
  const hidden = (e: Element) => {
    for (let at: Element | null = e; at; at = at.parentElement) {
      const style = getComputedStyle(at), box = at.getBoundingClientRect();
      if (style.visibility !== "visible" || style.opacity === "0" || (box.width <= 1 && cuts(style.overflowX)) || at.tagName === "SVG") return true;
      if (at.tagName === "DETAILS" && !(at as HTMLDetailsElement).open && !e.closest("summary")) return true;
    }
    return false;
  };
  const texts: { text: string; rects: DOMRect[]; at: Element; flow: boolean }[] = [];
  const walker = document.createTreeWalker(top ?? document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent?.trim() ?? "", at = node.parentElement;
    if (!text || !at || at.closest("svg, script, style, noscript, option, canvas, .u-legend") || hidden(at)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter((r) => r.width > 1 && r.height > 1);
    if (!rects.length) continue;
    const left = Math.min(...rects.map((r) => r.left)), right = Math.max(...rects.map((r) => r.right));
    const said = `"${text.slice(0, 60)}"`;
    let flow = true;
    for (let box: Element | null = at; box && box !== document.documentElement; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.position === "absolute" || style.position === "fixed" || style.position === "sticky") flow = false;
      if (style.display === "inline" || style.display === "contents") continue;
      const r = box.getBoundingClientRect();
      if (scrolls(style.overflowX)) break;
      const past = Math.max(right - r.right, r.left - left);
      if (past <= slack) continue;
      if (cuts(style.overflowX)) {
        if (style.textOverflow !== "ellipsis" || known.has(text)) found.push(`${said} is cut off (${Math.round(past)} pixels)`);
        break;
      }
      if (inked(style) || box.matches("button, a, th, td, li")) {
        found.push(`${said} runs ${Math.round(past)} pixels out of its ${box.tagName.toLowerCase()}`);
        break;
      }
    }
    texts.push({ text: said, rects, at, flow });
  }
  /** What is seen of a text: not what an ellipsis stands for, nor what one would have to scroll to. */
  const seen = (e: Element, r: DOMRect) => {
    let { left, right, top: above, bottom } = r;
    for (let at: Element | null = e; at; at = at.parentElement) {
      const style = getComputedStyle(at), box = at.getBoundingClientRect();
      if (style.overflowX !== "visible") [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      if (style.overflowY !== "visible") [above, bottom] = [Math.max(above, box.top), Math.min(bottom, box.bottom)];
    }
    return { left, right, top: above, bottom };
  };
  const flat = texts.filter((one) => one.flow).flatMap((one) => one.rects.map((r) => ({ ...one, r: seen(one.at, r) })));
  for (const [i, a] of flat.entries())
    for (const b of flat.slice(i + 1)) {
      if (a.at === b.at || a.at.contains(b.at) || b.at.contains(a.at)) continue;
      const across = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left), down = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top);
      if (across > 3 && down > 5) found.push(`${a.text} and ${b.text} lie on each other`);
    }
  return [...new Set(found)];
}

/** What is wrong with the page as it stands; nothing where all is well. */
export async function misplaced(page: Page): Promise<string[]> {
  return (await page.evaluate(`(${look.toString().replace(/__name\([^)]*\);?/g, "")})(${JSON.stringify(own)}, ${SLACK})`)) as string[];
}
