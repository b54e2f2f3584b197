// Autosave: what was changed goes to the server's draft a moment later, one request a picture at a time, in order.
// Each carries the revision that was seen; when somebody else was faster nothing is overwritten, and the person
// decides.  Without a connection it is tried again until it works.
import { api, Problem } from "../../api";
import type { DraftPicture } from "../../types";
import { type Labels, shapesOf } from "./editor";

const REST_MS = 500;
const RETRY_MS = [1000, 2000, 5000, 10_000];

export type SaveState = "saved" | "saving" | "offline" | "conflict" | "failed";

interface Entry {
  revision: number;
  want: Labels | undefined; // not yet sent
  last: Labels; // sent or not
  sending: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  tries: number;
  error: Error | undefined;
  conflict: boolean;
}

export class Saver {
  private entries = new Map<number, Entry>();
  private known = new Map<number, number>(); // revisions that the server gave us
  private listeners = new Set<() => void>();
  private told: SaveState = "saved";

  constructor(private readonly path: string, private readonly onSaved: (picture: DraftPicture) => void) {}

  /** The labels of picture `index`, which the server last gave with this revision. */
  save(index: number, revision: number, labels: Labels, now = false) {
    const entry = this.entries.get(index) ?? { revision: Math.max(revision, this.known.get(index) ?? 0), want: undefined, last: labels, sending: false, timer: undefined, tries: 0, error: undefined, conflict: false };
    this.entries.set(index, entry);
    entry.want = entry.last = labels;
    clearTimeout(entry.timer);
    if (!entry.conflict) entry.timer = setTimeout(() => void this.send(index), now ? 0 : REST_MS);
    this.tell();
  }

  /** Sends what waits, at once. */
  flush() {
    for (const [index, entry] of this.entries)
      if (entry.want && !entry.conflict) {
        clearTimeout(entry.timer);
        void this.send(index);
      }
  }

  /** The answer to a conflict: mine goes over theirs, or is dropped. */
  async resolve(index: number, mine: boolean): Promise<void> {
    const entry = this.entries.get(index);
    if (!entry) return;
    const theirs = await api.get<DraftPicture>(`${this.path}/images/${index}`);
    if (!mine) {
      this.entries.delete(index);
      this.onSaved(theirs);
    } else {
      Object.assign(entry, { revision: theirs.revision, conflict: false, error: undefined, tries: 0 });
      void this.send(index);
    }
    this.tell();
  }

  /** Resolves when nothing waits; rejects with what keeps it. */
  async settled(): Promise<void> {
    this.flush();
    for (;;) {
      const all = [...this.entries.values()];
      const bad = all.find((one) => one.conflict || one.error);
      if (bad) throw bad.error ?? new Error("conflict");
      if (!all.some((one) => one.want || one.sending)) return;
      await new Promise<void>((done) => {
        const end = this.subscribe(() => {
          end();
          done();
        });
      });
    }
  }

  get state(): SaveState {
    const all = [...this.entries.values()];
    if (all.some((one) => one.conflict)) return "conflict";
    if (all.some((one) => one.error && !one.tries)) return "failed";
    if (all.some((one) => one.tries > 0)) return "offline";
    return all.some((one) => one.want || one.sending) ? "saving" : "saved";
  }
  conflictOf(index: number): boolean {
    return this.entries.get(index)?.conflict ?? false;
  }
  /** The labels that the server has not answered yet: who comes back to the picture sees these, not what it had. */
  held(index: number): Labels | undefined {
    return this.entries.get(index)?.last;
  }
  /** What is on its way and not yet in the server's answer. */
  pending(index: number): boolean {
    const entry = this.entries.get(index);
    return Boolean(entry?.want || entry?.sending);
  }
  get error(): Error | undefined {
    return [...this.entries.values()].find((one) => one.error && !one.tries)?.error;
  }

  subscribe = (fn: () => void) => {
    this.listeners.add(fn);
    return () => {
      this.listeners.delete(fn);
    };
  };
  snapshot = () => this.told;

  private tell() {
    this.told = this.state;
    this.listeners.forEach((fn) => fn());
  }

  private async send(index: number): Promise<void> {
    const entry = this.entries.get(index);
    if (!entry?.want || entry.sending) return;
    const labels = entry.want;
    entry.want = undefined;
    entry.sending = true;
    this.tell();
    try {
      const picture = await api.put<DraftPicture>(`${this.path}/images/${index}`,
        { revision: entry.revision, label: labels.label, shapes: shapesOf(labels) });
      Object.assign(entry, { revision: picture.revision, tries: 0, error: undefined });
      this.known.set(index, picture.revision);
      this.onSaved(picture);
    } catch (e) {
      entry.want ??= labels;
      const status = e instanceof Problem ? e.status : 0;
      if (status === 412) entry.conflict = true;
      else if (status === 0 || status >= 500) entry.tries++;
      else entry.error = e as Error;
    }
    entry.sending = false;
    if (entry.want && !entry.conflict && !(entry.error && !entry.tries))
      entry.timer = setTimeout(() => void this.send(index), entry.tries ? RETRY_MS[Math.min(entry.tries, RETRY_MS.length) - 1] : 0);
    if (!entry.want) this.entries.delete(index);
    this.tell();
  }
}
