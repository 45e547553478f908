/** Frames: in order, each event once, acknowledged; what the server says beside them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Browser, Clock, Memory, settle } from "./browser.js";

const event = (data, more = {}) => ({ type: "event", name: "E", data, ...more });

test("hello comes first on every connection, and says where this document stands", async () => {
  const browser = new Browser();
  assert.deepEqual(browser.connects(), {
    type: "hello", version: 1, stay: 7, document: "d1", tab: "t1", base: 100, handled: 100, connection: 1, kept: [],
    pending: [], next: 1, adopts: [],
  });
  browser.frame(105, event(1), event(2, { keep: "k1" }));
  browser.closes();
  await browser.clock.pass(1000);
  const hello = browser.opens();
  assert.deepEqual([hello.base, hello.handled, hello.kept], [100, 105, ["k1"]]);
  assert.equal(hello.connection, 2);
});

test("a frame is handled in order: events before the reply", async () => {
  const browser = new Browser();
  browser.connects();
  browser.invoke("a").then(() => browser.seen.push(["settled"]));
  await settle();
  browser.frame(101, event("first"), event("second"), { type: "reply", n: 1, ok: 0 });
  await settle();
  assert.deepEqual(browser.seen.slice(1).map(([what, , data]) => data ?? what), ["first", "second", "settled"]);
});

test("an event that was handled is skipped when it comes again; what else the frame holds is not", async () => {
  const browser = new Browser();
  browser.connects();
  const promise = browser.invoke("a");
  await settle();
  browser.frame(101, event("once"));
  browser.frame(101, event("once"), { type: "reply", n: 1, ok: "settled" });
  browser.frame(99, event("before this document"));
  browser.frame(102, event("new"));
  assert.deepEqual(browser.events(), ["once", "new"]);
  assert.equal(await promise, "settled");
});

test("evidence 11: a kept event is handled once, however often it comes, also after a reload", () => {
  const [clock, storage] = [new Clock(), new Memory()];
  const first = new Browser({ clock, storage });
  first.connects();
  first.frame(101, event("offer", { keep: "101.0" }));
  first.frame(101, event("offer", { keep: "101.0" }));
  first.frame(90, event("from before", { keep: "90.0" })); // older than the page, and yet to be handled
  assert.deepEqual(first.events(), ["offer", "from before"]);

  const second = new Browser({ clock, storage, document: "d2", page: { base: 110 } });
  assert.deepEqual(second.connects().kept, ["101.0", "90.0"]);
  second.frame(101, event("offer", { keep: "101.0" }));
  assert.deepEqual(second.events(), []);
});

test("only the last thousand kept ids are remembered, and hello names the newest", () => {
  const browser = new Browser();
  browser.connects();
  for (let n = 0; n < 1100; n += 1) browser.frame(101 + n, event(n, { keep: `k${n}` }));
  const stored = JSON.parse(browser.storage.entries()["grimoire/s-p1/kept"]);
  assert.deepEqual([stored.length, stored[0], stored.at(-1)], [1000, "k100", "k1099"]);
  browser.closes();
  browser.client.connection.wake();
  assert.deepEqual([browser.opens().kept.length, browser.sent[0].kept.at(-1)], [100, "k1099"]);
});

test("handled is remembered before dispatch: a handler that fails has had its event, and stops nobody", async () => {
  const browser = new Browser();
  browser.connects();
  browser.handler = (data) => {
    if (data === "bad") throw new Error("author's mistake");
  };
  const promise = browser.invoke("a");
  await settle();
  browser.frame(101, event("bad", { keep: "k" }), event("good"), { type: "reply", n: 1, ok: 1 });
  assert.deepEqual(browser.events(), ["bad", "good"]);
  assert.equal(await promise, 1);
  assert.match(String(browser.reports), /author's mistake/);
  assert.ok(browser.storage.entries()["grimoire/s-p1/kept"].includes("k"));
});

test("the kept id is stored when the handler runs", () => {
  const browser = new Browser();
  browser.connects();
  browser.handler = () => browser.seen.push(browser.storage.entries()["grimoire/s-p1/kept"]);
  browser.frame(101, event(1, { keep: "k" }));
  assert.equal(browser.seen.at(-1), '["k"]');
});

test("acknowledgements are cumulative: one within a second, none if a call has carried it", async () => {
  const browser = new Browser();
  browser.connects();
  for (const seq of [101, 102, 103]) {
    browser.frame(seq, event(seq));
    await browser.clock.pass(300);
  }
  assert.deepEqual(browser.sentOf("handled"), []);
  await browser.clock.pass(100);
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 103, kept: [] }]);

  browser.frame(104, event(104));
  browser.invoke("a");
  await browser.clock.pass(2000);
  assert.equal(browser.sentOf("call")[0].handled, 104);
  assert.equal(browser.sentOf("handled").length, 1);
});

test("a kept event is acknowledged within 100 ms, and takes along what waited", async () => {
  const browser = new Browser();
  browser.connects();
  browser.frame(104, event(104));
  browser.frame(105, event(105, { keep: "k5" }));
  browser.invoke("b"); // cannot carry the id
  await browser.clock.pass(100);
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 105, kept: ["k5"] }]);
  await browser.clock.pass(2000);
  assert.equal(browser.sentOf("handled").length, 1);
});

test("fifty unacknowledged events are acknowledged at once, large ones earlier, outcomes not at all", async () => {
  const browser = new Browser();
  browser.connects();
  for (let seq = 101; seq <= 149; seq += 1) browser.frame(seq, event(null));
  assert.deepEqual(browser.sentOf("handled"), []);
  browser.frame(150, event(null));
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 150, kept: [] }]);

  browser.frame(151, event("x".repeat(200_000)));
  assert.equal(browser.sentOf("handled")[1].seq, 151);

  browser.invoke("a");
  await settle();
  browser.frame(152, { type: "reply", n: 1, ok: 0 });
  await browser.clock.pass(2000);
  assert.equal(browser.sentOf("handled").length, 2);
  browser.invoke("b");
  await settle();
  assert.equal(browser.sentOf("call").at(-1).handled, 152);
});

test("a kept event's acknowledgement that found no connection goes after the next welcome", async () => {
  const browser = new Browser();
  browser.connects();
  browser.frame(101, event(1, { keep: "k" }));
  browser.closes();
  await browser.clock.pass(1000);
  browser.connects();
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 101, kept: ["k"] }]);
});

test("events wait until the page is there, in order; welcome and heartbeat do not", async () => {
  const browser = new Browser({ ready: false });
  browser.connects();
  const promise = browser.invoke("a");
  await settle();
  browser.frame(101, event(1));
  browser.frame(102, event(2), { type: "reply", n: 1, ok: 0 });
  assert.deepEqual(browser.events(), []);
  assert.equal(await Browser.outcome(promise), "pending");
  browser.client.ready();
  browser.frame(103, event(3));
  assert.deepEqual(browser.events(), [1, 2, 3]);
  await promise;
});

test("volatile events, with seq 0, move no counter", () => {
  const browser = new Browser();
  browser.connects();
  browser.frame(0, event("pointer"));
  browser.frame(0, event("pointer"));
  browser.closes();
  browser.client.connection.wake();
  assert.deepEqual(browser.events(), ["pointer", "pointer"]);
  assert.equal(browser.opens().handled, 100);
});

test("resync: the page is told once, and what it makes up for is not replayed", () => {
  const browser = new Browser();
  browser.connects({ resync: true, seq: 500 });
  assert.deepEqual(browser.seen[0], ["resync"]);
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 500, kept: [] }]); // also where it loads again
  browser.frame(400, event("old"));
  browser.frame(501, event("new"));
  assert.deepEqual(browser.events(), ["new"]);
});

test("messages of the researcher, and where to go", () => {
  const browser = new Browser();
  browser.connects();
  browser.frame(101, { type: "message", text: "Please hurry" }, { type: "go", to: "reload" });
  assert.deepEqual(browser.seen.slice(1), [["message", "Please hurry"], ["go", { type: "go", to: "reload" }]]);
});

for (const [code, reason] of [[4009, "takeover"], [4404, "gone"], [4010, "version"]]) {
  test(`close code ${code} is final: ${reason}`, async () => {
    const browser = new Browser();
    browser.connects();
    browser.closes(code);
    await browser.clock.pass(60_000);
    assert.equal(browser.sockets.length, 1);
    assert.deepEqual(browser.seen.slice(1), [["down"], ["bye", reason]]);
  });
}

test("bye says why before the server closes; after a final one nobody comes back", async () => {
  const browser = new Browser({ ready: false });
  browser.opens();
  browser.frame(0, { type: "bye", reason: "refused" });
  await browser.clock.pass(60_000);
  assert.equal(browser.sockets.length, 1);
  browser.client.ready();
  assert.deepEqual(browser.seen, [["bye", "refused"]]);
});

test("after shutdown, slow or storage the browser comes back", async () => {
  for (const reason of ["shutdown", "slow", "storage"]) {
    const browser = new Browser();
    browser.connects();
    browser.frame(0, { type: "bye", reason });
    browser.closes(1001);
    await browser.clock.pass(1000);
    assert.equal(browser.sockets.length, 2);
  }
});

test("here is told when it changes, and again after a reconnect unless active", async () => {
  const browser = new Browser();
  browser.client.show("active");
  browser.connects();
  browser.client.show("active");
  assert.deepEqual(browser.sentOf("here"), []);
  browser.client.show("hidden");
  browser.client.show("hidden");
  assert.deepEqual(browser.sentOf("here"), [{ type: "here", state: "hidden" }]);
  browser.closes();
  await browser.clock.pass(1000);
  browser.connects();
  assert.deepEqual(browser.sentOf("here"), [{ type: "here", state: "hidden" }]);
});

test("a page in the back/forward cache lets go of its socket and resumes where it was", () => {
  const browser = new Browser();
  browser.connects();
  browser.frame(101, event(1));
  browser.client.pause();
  assert.deepEqual(browser.sentOf("handled"), [{ type: "handled", seq: 101, kept: [] }]);
  assert.equal(browser.socket.closedWith, 1000);
  browser.client.resume();
  const hello = browser.connects();
  assert.deepEqual([hello.document, hello.handled, hello.tab], ["d1", 101, "t1"]);
  assert.deepEqual(browser.seen.at(-1), ["up", true]);
});

test("a reloaded tab keeps its name; a copy of it, while it is shown, gets another", () => {
  const storage = new Memory();
  const first = new Browser({ storage, tab: "mine" });
  assert.equal(new Browser({ storage: storage.copy(), tab: "copy" }).opens().tab, "copy");
  first.client.pause();
  assert.equal(new Browser({ storage, tab: "other" }).opens().tab, "mine");
  assert.equal(new Browser({ storage: storage.copy(), tab: "copy" }).opens().tab, "copy");
});

const examples = JSON.parse(readFileSync(new URL("../frames.json", import.meta.url), "utf8"));

test("every example frame of the server is taken", () => {
  for (const { frame, why } of examples.server_to_browser.valid) {
    const browser = new Browser();
    browser.opens();
    if (frame.messages[0]?.type !== "welcome") browser.welcome();
    browser.frame(frame.seq, ...frame.messages);
    assert.deepEqual(browser.reports.filter(([first]) => !String(first).includes("did not take")), [], why);
  }
});

test("evidence 17: what is no frame, or of an unknown type, is reported or ignored; the connection stays", () => {
  for (const { text, why } of examples.server_to_browser.invalid) {
    const browser = new Browser();
    browser.connects();
    browser.text(text);
    browser.frame(101, event("still here"));
    assert.deepEqual(browser.events(), ["still here"], why);
    assert.equal(browser.client.connection.status, "up", why);
  }
});

test("a message of a newer server is skipped, what stands beside it is handled", () => {
  for (const { frame, why } of examples.server_to_browser.newer) {
    const browser = new Browser();
    browser.connects();
    browser.frame(frame.seq, ...frame.messages);
    assert.deepEqual([browser.events(), browser.reports], [[1], []], why);
  }
});

test("what the client sends has exactly the fields of the examples", async () => {
  const fields = new Map();
  for (const { message } of examples.browser_to_server.valid) {
    const seen = fields.get(message.type) ?? new Set();
    for (const name of Object.keys(message)) seen.add(name);
    fields.set(message.type, seen);
  }
  const browser = new Browser();
  browser.connects();
  browser.invoke("a", 1);
  browser.frame(101, event(1, { keep: "k" }));
  browser.client.show("idle");
  await browser.clock.pass(21_000);
  const types = new Set(browser.sent.map(({ type }) => type));
  assert.deepEqual([...types].sort(), ["call", "handled", "hello", "here", "ping"]);
  for (const message of browser.sent) {
    for (const name of Object.keys(message)) assert.ok(fields.get(message.type)?.has(name), `${message.type}.${name}`);
  }
});
