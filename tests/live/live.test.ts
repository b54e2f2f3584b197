// The live feed over WebSocket and Server-Sent Events, with a trainer that the test plays: news within a
// second, every event once and in order however often the client is cut off, and a socket that keeps to its
// protocol.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Anneal, until, cookiesOf } from "../lib/anneal";
import { create, upload } from "../lib/jobs";
import { type Event, sse, WebSocketClient } from "../lib/live";
import { patterns } from "../lib/pictures";
import { type Order, Trainer } from "../lib/trainer";

// The issue says a second; this machine may be busy with other tests.
const soonMs = 3000;
let anneal: Anneal, trainer: Trainer;
before(async () => {
  trainer = await Trainer.start();
  anneal = await Anneal.start([...trainer.flags, "--jobs-per-user", "20", "--jobs-per-trainer", "20", "--drain-seconds", "5"]);
  assert.equal((await upload(anneal, "patterns", patterns(6, 2))).state, "done");
});
after(async () => {
  await anneal.remove();
  trainer.stop();
});

const begin = async (epochs: number): Promise<{ job: string; order: Order }> => {
  const job = await create(anneal, "patterns", { model: "tiny", epochs });
  const order = await trainer.order(job);
  await trainer.report(order, { kind: "started", epochs });
  return { job, order };
};
const finish = (order: Order, epochs: number) => trainer.report(order, { kind: "completed", epoch: epochs, epochs, progress: 1 });
const epoch = (order: Order, n: number, epochs: number) => trainer.report(order,
  { kind: "epoch", epoch: n, epochs, progress: n / epochs, metrics: { "train/loss": 1 / n }, logs: [{ time: Date.now(), level: "info", message: `epoch ${n}` }] });
const step = (order: Order, n: number, s: number, epochs: number) => trainer.report(order,
  { kind: "progress", epoch: n, epochs, step: s, steps: 10, progress: (n - 1 + s / 10) / epochs, metrics: { "train/loss": 1 / n } });
const lasting = (events: Event[]) => events.filter((e) => e.event !== "progress").map((e) => `${e.id} ${e.event} ${JSON.stringify(e.data)}`);
const subscribers = async () => Number(/live_subscribers (\d+)/.exec(await (await anneal.api("GET", "/metrics")).text())?.[1]);

test("state, progress and metrics arrive within a second over both", async () => {
  const { job, order } = await begin(3);
  const socket = new WebSocketClient(anneal, `/ws/training/${job}`);
  const streamed: Event[] = [];
  const stream = sse(anneal, job, 0, (e) => (streamed.push(e), false));
  await until("both are up to date", async () => socket.events.length > 0 && streamed.length > 0 && streamed.at(-1)!.id === socket.events.at(-1)!.id);
  const arrives = async (what: string, report: () => Promise<unknown>, match: (e: Event) => boolean) => {
    const began = Date.now();
    await report();
    for (const list of [socket.events, streamed]) {
      const event = await until(what, async () => list.find(match));
      assert.ok(event.at - began < soonMs, `${what} took ${event.at - began} ms`);
    }
  };
  await arrives("progress", () => step(order, 1, 5, 3), (e) => e.event === "progress" && e.data.step === 5);
  await arrives("an epoch's metrics", () => epoch(order, 1, 3), (e) => e.event === "epoch" && e.data.metrics["train/loss"] === 1);
  await arrives("a log line", () => epoch(order, 2, 3), (e) => e.event === "log" && e.data.message === "epoch 2");
  await arrives("the end", () => finish(order, 3), (e) => e.event === "state" && e.data.status === "completed");
  await stream;
  await socket.closed;
  assert.equal(socket.closeCode, 1000, "the feed of an ended job ends well");
  assert.deepEqual(lasting(socket.events), lasting(streamed));
});

test("a cancel is seen at once", async () => {
  const { job } = await begin(3);
  const socket = new WebSocketClient(anneal, `/ws/training/${job}`);
  await until("it is up to date", async () => socket.events.some((e) => e.event === "state" && e.data.status === "running"));
  const began = Date.now();
  await anneal.api("DELETE", `/training/jobs/${job}`);
  const event = await until("the cancel", async () => socket.events.find((e) => e.event === "state" && e.data.status === "cancelled"));
  assert.ok(event.at - began < soonMs);
});

for (const kind of ["WebSocket", "SSE"] as const)
  test(`a client that is cut off again and again gets every event once, in order (${kind})`, { timeout: 120_000 }, async () => {
    const epochs = 40;
    const { job, order } = await begin(epochs);
    const seen: Event[] = [];
    let over = false, cuts = 0;
    const reader = (async () => {
      while (!over) {
        const last = seen.at(-1)?.id ?? 0, leaveAfter = seen.length + 1 + (cuts % 5);
        const take = (e: Event) => {
          if (over || seen.length >= leaveAfter) return true;
          seen.push(e);
          over = e.event === "state" && e.data.status === "completed";
          return over || seen.length >= leaveAfter;
        };
        if (kind === "SSE") {
          await sse(anneal, job, last, take);
        } else {
          // By header in place of the query every other time: it counts more.
          const socket: WebSocketClient = cuts % 2
            ? new WebSocketClient(anneal, `/ws/training/${job}?after=0`, { "Last-Event-ID": String(last) }, (e) => take(e) && socket.drop())
            : new WebSocketClient(anneal, `/ws/training/${job}?after=${last}`, {}, (e) => take(e) && socket.drop());
          await socket.closed;
        }
        cuts++;
        assert.ok(cuts < 1000, "it never ends");
      }
    })();
    for (let n = 1; n <= epochs; n++) {
      await step(order, n, 3, epochs);
      await step(order, n, 7, epochs);
      await epoch(order, n, epochs);
    }
    await finish(order, epochs);
    await reader;
    assert.ok(cuts > 20, `only ${cuts} cuts`);
    for (let i = 1; i < seen.length; i++) assert.ok(seen[i]!.id > seen[i - 1]!.id, "out of order or twice");
    assert.deepEqual(lasting(seen), lasting(await sse(anneal, job, 0)), "not what one undisturbed reader gets");
    assert.equal(seen.filter((e) => e.event === "epoch").length, epochs);
  });

test("a restart of serve in between loses nothing", async () => {
  const { job, order } = await begin(4);
  await epoch(order, 1, 4);
  const first = await sse(anneal, job, 0, (e) => e.event === "epoch" && e.data.epoch === 1);
  const socket = new WebSocketClient(anneal, `/ws/training/${job}`);
  await until("the socket is up", async () => socket.events.length > 0);
  const began = Date.now();
  assert.equal(await anneal.down(), 0);
  await socket.closed;
  assert.equal(socket.closeCode, 1001, "going away");
  assert.ok(Date.now() - began < 5000, "open sockets do not hold up the end");
  await anneal.up();
  const again = await until("the trainer's order is the same or a newer one", async () => trainer.orders.filter((o) => o.job_id === job).at(-1));
  const rest = sse(anneal, job, first.at(-1)!.id);
  await epoch(again, 2, 4);
  await finish(again, 4);
  const all = [...first, ...(await rest)];
  assert.deepEqual(lasting(all), lasting(await sse(anneal, job, 0)));
  assert.equal(new Set(all.map((e) => e.id)).size, all.length);
});

test("a socket keeps to its protocol and to its owner", async () => {
  const { job, order } = await begin(2);
  const path = `/ws/training/${job}`;
  const outcome = async (client: WebSocketClient) => (await client.closed, client);
  const open = async () => {
    const client = new WebSocketClient(anneal, path);
    await until("the socket is up", async () => client.events.length > 0);
    return client;
  };
  const ping = await open();
  ping.send(9, Buffer.from("hello"));
  await until("a pong", async () => ping.pongs === 1);
  ping.send(8, Buffer.from([3, 232]));
  await ping.closed;
  const unmasked = await open();
  unmasked.send(1, Buffer.from("x"), false);
  assert.equal((await outcome(unmasked)).closeCode, 1002);
  const large = await open();
  large.send(1, Buffer.alloc(60_000, 65));
  assert.equal((await outcome(large)).closeCode, 1009);
  const bad = await open();
  bad.send(1, Buffer.from([0xff, 0xfe]));
  assert.equal((await outcome(bad)).closeCode, 1007);
  const status = async (at: string, headers: Record<string, string>) => (await outcome(new WebSocketClient(anneal, at, headers))).status;
  assert.equal(await status(path, { Authorization: "" }), 401);
  assert.equal(await status(path, { Authorization: "Bearer ses_wrong" }), 401);
  assert.equal(await status("/ws/training/nothing", {}), 404);
  assert.equal(await status(`${path}?after=-1`, {}), 400);
  assert.equal(await status(path, { "Sec-WebSocket-Key": "short" }), 400);
  assert.equal(await status(path, { Upgrade: "h2c" }), 400);
  assert.ok([400, 426].includes(await status(path, { "Sec-WebSocket-Version": "8" })));
  // A page of another site has the browser send our cookie along.
  const login = await fetch(`${anneal.url}/auth/link`, { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: anneal.link }) });
  const cookie = cookiesOf(login).find((c) => c.startsWith("anneal_session="))?.split(";")[0] ?? "";
  assert.equal(await status(path, { Authorization: "", Cookie: cookie, Origin: "http://evil.example" }), 403);
  const own = new WebSocketClient(anneal, path, { Authorization: "", Cookie: cookie, Origin: `http://127.0.0.1:${anneal.port}` });
  await until("the own page gets in", async () => own.status === 101);
  own.drop();
  await finish(order, 2);
});

test("who has gone is forgotten", async () => {
  const { job, order } = await begin(2);
  const clients = Array.from({ length: 30 }, () => new WebSocketClient(anneal, `/ws/training/${job}`));
  await until("all listen", async () => (await subscribers()) >= 30);
  for (const client of clients) client.drop();
  await until("none is left", async () => (await subscribers()) === 0);
  await finish(order, 2);
});
