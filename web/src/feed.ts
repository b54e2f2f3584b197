// A job's live feed: a WebSocket, and Server-Sent Events where none can be opened.  Each event has a rising
// number; after a break the feed goes on behind the last one seen, so none is missed and none comes twice.
import { api } from "./api";
import { hasEnded, type Job } from "./types";

export interface FeedEvent { id: number; event: string; data: unknown }
export type FeedState = "connecting" | "live" | "waiting" | "ended";

const RETRY_MS = [500, 1000, 2000, 5000, 10_000];
const SOCKET_TRIES = 2; // so often in a row without a connection: then Server-Sent Events
const SAID_ALL = 1000; // a WebSocket's normal end
const END = "end"; // the server's word that the job has ended and all of it has been sent

export interface Feed { close(): void }

export function openFeed(job: string, after: number, onEvent: (e: FeedEvent) => void, onState: (s: FeedState) => void): Feed {
  let last = after, closed = false, failures = 0, opened = false;
  let socket: WebSocket | undefined, source: EventSource | undefined, timer: number | undefined;

  const finish = () => {
    closed = true;
    onState("ended");
    socket?.close();
    source?.close();
  };
  const take = (e: FeedEvent) => {
    if (closed) return;
    if (e.event === END) return finish();
    if (e.id <= last) return;
    last = e.id;
    onEvent(e);
  };
  /** A plain call before each further try: it refreshes the session, and knows whether there is more to come. */
  const look = () => {
    api.get<Job>(`/training/jobs/${job}`).then(
      (now) => (hasEnded(now.status) ? finish() : connect()),
      (e: { status?: number }) => (e.status === 404 ? finish() : again()));
  };
  const again = () => {
    if (closed) return;
    onState("waiting");
    const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 1000;
    failures++;
    timer = window.setTimeout(look, wait);
  };
  const up = () => {
    failures = 0;
    opened = true;
    onState("live");
  };
  const viaSocket = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    try {
      socket = new WebSocket(`${scheme}://${location.host}/ws/training/${job}?after=${last}`);
    } catch {
      return viaEvents();
    }
    socket.onopen = up;
    socket.onmessage = (m) => take(JSON.parse(String(m.data)) as FeedEvent);
    socket.onclose = (e) => (e.code === SAID_ALL && !closed ? look() : again());
  };
  const viaEvents = () => {
    source = new EventSource(`/training/jobs/${job}/events?after=${last}`);
    source.onopen = up;
    for (const kind of ["state", "started", "progress", "epoch", "checkpoint", "log", END])
      source.addEventListener(kind, (m) => take({ id: Number(m.lastEventId), event: kind, data: JSON.parse(m.data || "null") }));
    source.onerror = () => {
      source?.close(); // by ourselves, with `after`
      again();
    };
  };
  const connect = () => {
    if (closed) return;
    if (!opened && failures >= SOCKET_TRIES) viaEvents();
    else viaSocket();
  };
  onState("connecting");
  connect();
  return {
    close: () => {
      closed = true;
      window.clearTimeout(timer);
      socket?.close();
      source?.close();
    },
  };
}
