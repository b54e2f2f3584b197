import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { type FeedEvent, type FeedState, openFeed } from "./feed";

class Socket {
  static made: Socket[] = [];
  onopen?: () => void;
  onmessage?: (m: { data: string }) => void;
  onclose?: (e: { code: number }) => void;
  constructor(readonly url: string) {
    Socket.made.push(this);
  }
  say(id: number, event: string, data: unknown = {}) {
    this.onmessage?.({ data: JSON.stringify({ id, event, data }) });
  }
  close() {}
}
class Source {
  static made: Source[] = [];
  onopen?: () => void;
  onerror?: () => void;
  heard = new Map<string, (m: { lastEventId: string; data: string }) => void>();
  constructor(readonly url: string) {
    Source.made.push(this);
  }
  addEventListener(kind: string, fn: (m: { lastEventId: string; data: string }) => void) {
    this.heard.set(kind, fn);
  }
  close() {}
}

let events: FeedEvent[], states: FeedState[], status: string;
const open = (after = 0) => openFeed("j1", after, (e) => events.push(e), (s) => states.push(s));
const next = () => vi.advanceTimersByTimeAsync(20_000);

beforeEach(() => {
  Socket.made = [];
  Source.made = [];
  events = [];
  states = [];
  status = "running";
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Socket);
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ status }), { status: 200 }));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("events come once and in order, and after a break from behind the last", async () => {
  const feed = open(3);
  const [first] = Socket.made;
  expect(first?.url).toMatch(/\/ws\/training\/j1\?after=3$/);
  first?.onopen?.();
  first?.say(4, "log");
  first?.say(4, "log"); // again
  first?.say(5, "epoch");
  first?.onclose?.({ code: 1006 });
  expect(states.at(-1)).toBe("waiting");
  await next();
  expect(Socket.made[1]?.url).toMatch(/after=5$/);
  expect(events.map((e) => e.id)).toEqual([4, 5]);
  feed.close();
});

test("where no WebSocket opens, Server-Sent Events are taken", async () => {
  const feed = open();
  for (let i = 0; i < 2; i++) {
    Socket.made[i]?.onclose?.({ code: 1006 });
    await next();
  }
  const [source] = Source.made;
  expect(source?.url).toBe("/training/jobs/j1/events?after=0");
  source?.onopen?.();
  source?.heard.get("epoch")?.({ lastEventId: "9", data: '{"epoch":1}' });
  expect(events).toEqual([{ id: 9, event: "epoch", data: { epoch: 1 } }]);
  source?.onerror?.();
  await next();
  expect(Socket.made.at(-1)?.url).toMatch(/after=9$/); // one did open: a socket is tried again
  feed.close();
});

test("the end is the server's word, or that of the job", async () => {
  open();
  Socket.made[0]?.say(0, "end");
  expect(states.at(-1)).toBe("ended");
  states.length = 0;
  status = "completed";
  open();
  Socket.made[1]?.onclose?.({ code: 1000 });
  await next();
  expect(states.at(-1)).toBe("ended");
});

test("a closed feed asks nothing more", async () => {
  const feed = open();
  Socket.made[0]?.onclose?.({ code: 1006 });
  feed.close();
  await next();
  expect(Socket.made.length).toBe(1);
});
