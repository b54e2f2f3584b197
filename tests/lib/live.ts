// The live feed as a client sees it: Server-Sent Events by fetch, and a WebSocket by hand (RFC 6455), so that
// tests can also break its rules.
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

import type { Anneal } from "./anneal";

export interface Event {
  id: number;
  event: string;
  data: any;
  /** When it arrived. */
  at: number;
}

export class WebSocketClient {
  readonly events: Event[] = [];
  status = 0;
  /** The code of the server's close frame. */
  closeCode: number | undefined;
  pongs = 0;
  readonly closed: Promise<void>;
  private readonly socket: Socket;
  private bytes = Buffer.alloc(0);
  private upgraded = false;

  constructor(anneal: Anneal, path: string, headers: Record<string, string> = {}, private readonly onEvent?: (e: Event) => void) {
    const key = randomBytes(16).toString("base64");
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const all = { Host: `127.0.0.1:${anneal.port}`, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key, Authorization: `Bearer ${anneal.token}`, ...headers };
    this.socket = connect(anneal.port, "127.0.0.1", () => this.socket.write(
      `GET ${path} HTTP/1.1\r\n${Object.entries(all).filter(([, v]) => v).map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`));
    this.socket.on("data", (d: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, d]);
      if (!this.upgraded) this.upgrade(accept);
      if (this.upgraded) while (this.frame());
    });
    this.socket.on("error", () => undefined);
    this.closed = new Promise((done) => this.socket.on("close", () => done()));
  }

  private upgrade(accept: string): void {
    const cut = this.bytes.indexOf("\r\n\r\n");
    if (cut < 0) return;
    const head = this.bytes.subarray(0, cut).toString("latin1");
    this.status = Number(head.split(" ")[1]);
    if (this.status !== 101) return void this.socket.destroy();
    if (!head.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}`)) throw new Error(`wrong accept: ${head}`);
    this.bytes = this.bytes.subarray(cut + 4);
    this.upgraded = true;
  }

  private frame(): boolean {
    const b = this.bytes;
    if (b.length < 2) return false;
    let at = 2, length = (b[1] ?? 0) & 127;
    if (length === 126) {
      if (b.length < 4) return false;
      length = b.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (b.length < 10) return false;
      length = Number(b.readBigUInt64BE(2));
      at = 10;
    }
    if (b.length < at + length) return false;
    const payload = b.subarray(at, at + length), opcode = (b[0] ?? 0) & 15;
    this.bytes = b.subarray(at + length);
    if (opcode === 1) {
      const event = { ...JSON.parse(payload.toString()), at: Date.now() } as Event;
      this.events.push(event);
      this.onEvent?.(event);
    } else if (opcode === 8) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.send(8, payload);
      this.socket.end();
    } else if (opcode === 9) {
      this.send(10, payload);
    } else if (opcode === 10) {
      this.pongs++;
    }
    return true;
  }

  send(opcode: number, payload: Buffer, masked = true): void {
    const mask = randomBytes(4);
    const length = payload.length < 126 ? Buffer.from([payload.length])
      : Buffer.from([126, payload.length >> 8, payload.length & 255]);
    if (masked) length[0] = (length[0] ?? 0) | 128;
    this.socket.write(Buffer.concat([Buffer.from([128 | opcode]), length, masked ? mask : Buffer.alloc(0),
      masked ? Buffer.from(payload.map((v, i) => v ^ (mask[i & 3] ?? 0))) : payload]));
  }

  /** Vanishes without a word. */
  drop(): void {
    this.socket.destroy();
  }
}

/** Reads Server-Sent Events behind `after` until the stream ends or `stop` says so. */
export async function sse(anneal: Anneal, job: string, after: number, stop: (e: Event) => boolean = () => false): Promise<Event[]> {
  const out: Event[] = [], cut = new AbortController();
  try {
    const reply = await fetch(`${anneal.url}/training/jobs/${job}/events?after=${after}`,
      { headers: { authorization: `Bearer ${anneal.token}` }, signal: cut.signal });
    if (!reply.ok) throw new Error(`events: ${reply.status}`);
    let text = "";
    for await (const chunk of reply.body as any) {
      text += Buffer.from(chunk).toString();
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const lines = Object.fromEntries(text.slice(0, end).split("\n").map((l) => [l.split(": ")[0], l.slice(l.indexOf(": ") + 2)]));
        if (!lines["id"]) continue;
        const event = { id: Number(lines["id"]), event: lines["event"] ?? "", data: JSON.parse(lines["data"] ?? "null"), at: Date.now() };
        out.push(event);
        if (stop(event)) cut.abort();
        if (cut.signal.aborted) return out;
      }
    }
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
  }
  return out;
}
