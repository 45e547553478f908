/** What tests give the client's logic in place of a browser: a clock that is moved, sockets that are scripted. */

import { makeClient } from "../../static/grimoire/client.js";

export class Clock {
  time = 1000;
  #timers = new Map();
  #next = 1;

  now = () => this.time;
  setTimeout = (run, delay = 0) => {
    this.#timers.set(this.#next, { at: this.time + delay, run });
    return this.#next++;
  };
  clearTimeout = (timer) => this.#timers.delete(timer);

  /** Moves on, firing what falls due in between, in order; promises settle after each step. */
  async pass(milliseconds) {
    const end = this.time + milliseconds;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, { at, run }] = due;
      this.#timers.delete(id);
      this.time = Math.max(this.time, at);
      run();
      await settle();
    }
    this.time = end;
    await settle();
  }

  get pending() {
    return this.#timers.size;
  }
}

/** Lets everything that is resolved run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Memory {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key = (index) => [...this.#items.keys()][index] ?? null;
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, String(value));
  removeItem = (key) => void this.#items.delete(key);
  copy() {
    const copy = new Memory();
    for (const [key, value] of this.#items) copy.setItem(key, value);
    return copy;
  }
  entries = () => Object.fromEntries(this.#items);
}

/** A document in a tab, with the server's end of its sockets in the test's hands. */
export class Browser {
  sockets = [];
  seen = []; // what the page was asked for, in order
  reports = [];
  clock;
  storage;
  jitter = 0.5;
  /** Runs when the page gets an event. */
  handler = () => {};

  constructor({ clock = new Clock(), storage = new Memory(), page = {}, ready = true, document = "d1", tab = "t1" } = {}) {
    this.clock = clock;
    this.storage = storage;
    const { seen, sockets, reports } = this;
    const names = [document, tab];
    const here = {
      WebSocket: class {
        sent = [];
        constructor(url) {
          this.url = url;
          sockets.push(this);
        }
        send(text) {
          this.sent.push(JSON.parse(text));
        }
        close(code) {
          this.closedWith = code;
        }
      },
      now: clock.now,
      wall: () => 1_700_000_000_000 + clock.time,
      offset: 1_700_000_000_000,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      random: () => this.jitter,
      storage,
      nonce: () => names.shift() ?? "nonce",
      report: (...what) => reports.push(what),
    };
    const face = {
      event: (data, meta) => {
        seen.push(["event", meta.name, data, meta]);
        this.handler(data, meta);
      },
      up: (again) => seen.push(["up", again]),
      down: () => seen.push(["down"]),
      resync: () => seen.push(["resync"]),
      go: (message) => seen.push(["go", message]),
      message: (text) => seen.push(["message", text]),
      bye: (reason) => seen.push(["bye", reason]),
    };
    const config = { version: 1, player: "s-p1", stay: 7, base: 100, live: "/p/token/live", ...page };
    this.client = makeClient(config, "ws://server/p/token/live", here, face);
    if (ready) this.client.ready();
    this.client.connection.start();
  }

  get socket() {
    return this.sockets.at(-1);
  }
  get sent() {
    return this.socket.sent;
  }
  /** Messages of a type on the present socket. */
  sentOf = (type) => this.sent.filter((message) => message.type === type);

  /** The TCP and websocket handshakes succeed. */
  opens() {
    this.socket.onopen?.({});
    return this.sent[0];
  }
  frame(seq, ...messages) {
    this.socket.onmessage?.({ data: JSON.stringify({ seq, messages }) });
  }
  text(data) {
    this.socket.onmessage?.({ data });
  }
  welcome(more = {}, ...others) {
    this.frame(0, { type: "welcome", version: 1, clock: 5000, seq: 100, ping: 20, resync: false, ...more }, ...others);
  }
  connects(more = {}) {
    const hello = this.opens();
    this.welcome(more);
    return hello;
  }
  closes(code = 1006) {
    this.socket.onclose?.({ code });
  }
  events = () => this.seen.filter(([what]) => what === "event").map(([, , data]) => data);
  /** A rejection may be looked at later than it happens. */
  invoke = (method, ...args) => {
    const promise = this.client.calls.invoke(method, args);
    promise.catch(() => {});
    return promise;
  };
  /** "pending", or what it settled to. */
  static async outcome(promise) {
    let outcome = "pending";
    promise.then(
      (value) => (outcome = { value }),
      ({ code, message, id }) => (outcome = { code, message, id }),
    );
    await settle();
    return outcome;
  }
}
