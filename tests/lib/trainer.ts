// A trainer made by the test: it takes every order, keeps it, and reports what the test says.
import { createServer, type Server } from "node:http";

import { until } from "./anneal";

export interface Order {
  job_id: string;
  attempt: number;
  token: string;
  callback_url: string;
}

export class Trainer {
  readonly token = "shared-secret-of-the-test";
  readonly orders: Order[] = [];
  readonly deleted: string[] = [];
  private readonly seq = new Map<string, number>();
  private server: Server | undefined;

  static async start(): Promise<Trainer> {
    const one = new Trainer();
    const server = createServer((request, reply) => {
      let body = "";
      request.on("data", (d: Buffer) => (body += d.toString()));
      request.on("end", () => {
        const [status, json] = one.answer(request.method ?? "", request.url ?? "", body);
        reply.writeHead(status, { "content-type": "application/json" });
        reply.end(JSON.stringify(json));
      });
    });
    one.server = server;
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return one;
  }

  /** Flags of a serve that uses it. */
  get flags(): string[] {
    const address = this.server?.address();
    const port = address && typeof address === "object" ? address.port : 0;
    return ["--training-mode", "service", "--trainer-service-url", `http://127.0.0.1:${port}`, "--trainer-token", this.token];
  }

  stop(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private answer(method: string, url: string, body: string): [number, unknown] {
    if (method === "POST" && (url === "/training/start" || url === "/train")) {
      const order = JSON.parse(body) as Order;
      this.orders.push(order);
      return [200, { job_id: order.job_id, attempt: order.attempt, status: "accepted" }];
    }
    const id = url.split("/").at(-1) ?? "";
    if (method === "DELETE") {
      this.deleted.push(id);
      return [200, {}];
    }
    const order = this.orders.filter((o) => o.job_id === id).at(-1);
    if (url.startsWith("/jobs/") && order)
      return [200, { job_id: id, attempt: order.attempt, status: "running", progress: 0, undelivered: 0 }];
    if (url.startsWith("/health")) return [200, { status: "up" }];
    if (url.startsWith("/models")) return [200, { models: [{ name: "tiny" }, { name: "resnet18" }] }];
    return [404, { title: "no", status: 404, code: "not_found", detail: "no such job" }];
  }

  async order(job: string): Promise<Order> {
    return until("the trainer has the order", async () => this.orders.filter((o) => o.job_id === job).at(-1));
  }

  /** Reports with the next number of the attempt. */
  async report(order: Order, report: Record<string, unknown>): Promise<any> {
    const key = `${order.job_id}/${order.attempt}`, seq = (this.seq.get(key) ?? 0) + 1;
    const reply = await fetch(order.callback_url, {
      method: "POST",
      headers: { authorization: `Bearer ${order.token}`, "content-type": "application/json" },
      body: JSON.stringify({ attempt: order.attempt, seq, time: Date.now(), ...report }),
    });
    const body = (await reply.json()) as any;
    if (!reply.ok) throw new Error(`report: ${reply.status} ${JSON.stringify(body)}`);
    this.seq.set(key, seq);
    return body;
  }
}
