/** Calls: numbered, settled once, never lost, sent again in order; those of a previous document adopted. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Clock, Memory, settle } from "./browser.js";

const numbers = (calls) => calls.map(({ n }) => n);

test("a call is sent once welcomed, and its reply settles it", async () => {
  const browser = new Browser();
  const promise = browser.invoke("post_offer", 3.5, { now: true });
  browser.opens();
  assert.deepEqual(browser.sentOf("call"), []);
  browser.welcome();
  assert.deepEqual(browser.sentOf("call"), [
    { type: "call", n: 1, method: "post_offer", args: [3.5, { now: true }], done: 0, handled: 100 },
  ]);
  browser.frame(101, { type: "reply", n: 1, ok: { posted: 3.5 } });
  assert.deepEqual(await promise, { posted: 3.5 });
  browser.invoke("again");
  await settle();
  assert.equal(browser.sentOf("call")[1].done, 1);
});

test("evidence 42: an error rejects with its code and reference id", async () => {
  const browser = new Browser();
  browser.connects();
  const promise = browser.invoke("fail");
  await settle();
  browser.frame(0, { type: "error", n: 1, code: "error", message: "Failed", id: "K7QX" });
  await assert.rejects(promise, { name: "CallError", code: "error", message: "Failed", id: "K7QX", method: "fail" });
});

test("evidence 50: a call made while the server is away is kept and sent when it is back", async () => {
  const browser = new Browser();
  browser.connects();
  browser.closes();
  const promise = browser.invoke("late");
  await browser.clock.pass(30_000);
  assert.equal(await Browser.outcome(promise), "pending");
  const hello = browser.opens();
  assert.deepEqual([hello.pending, hello.next], [[1], 2]);
  browser.welcome();
  assert.deepEqual(numbers(browser.sentOf("call")), [1]);
  browser.frame(101, { type: "reply", n: 1, ok: null });
  assert.equal(await promise, null);
});

test("evidence 12: after a reconnect only what the welcome does not settle is sent again, in order", async () => {
  const browser = new Browser();
  browser.connects();
  const promises = ["a", "b", "c", "d"].map((name) => browser.invoke(name));
  await settle();
  browser.frame(101, { type: "reply", n: 2, ok: "b" });
  browser.closes();
  await browser.clock.pass(1000);
  assert.deepEqual(browser.opens().pending, [1, 3, 4]);
  browser.welcome({}, { type: "reply", n: 1, ok: "a" });
  assert.deepEqual(numbers(browser.sentOf("call")), [3, 4]);
  assert.deepEqual(browser.sentOf("call")[0].done, 2);
  browser.frame(102, { type: "reply", n: 3, ok: "c" });
  browser.frame(103, { type: "reply", n: 4, ok: "d" });
  browser.frame(103, { type: "reply", n: 4, ok: "another" });
  assert.deepEqual(await Promise.all(promises), ["a", "b", "c", "d"]);
});

test("done is the highest number up to which all have settled", async () => {
  const browser = new Browser();
  browser.connects();
  for (const name of ["a", "b", "c"]) browser.invoke(name);
  await settle();
  browser.frame(101, { type: "reply", n: 2, ok: 0 });
  browser.invoke("d");
  await settle();
  browser.frame(102, { type: "reply", n: 1, ok: 0 });
  browser.invoke("e");
  await settle();
  assert.deepEqual(browser.sentOf("call").map(({ done }) => done), [0, 0, 0, 0, 2]);
});

test("a call that nobody answers is given up: after a minute without a connection", async () => {
  const browser = new Browser();
  browser.connects();
  const promise = browser.invoke("lost");
  await browser.clock.pass(50_000 - browser.clock.time);
  // Half-open: not heard any more, noticed, and never back.
  await browser.clock.pass(30_000);
  assert.notEqual(browser.client.connection.status, "up");
  assert.equal(await Browser.outcome(promise), "pending");
  await browser.clock.pass(65_000);
  assert.equal((await Browser.outcome(promise)).code, "timeout");
  const hello = browser.opens();
  assert.deepEqual([hello.pending, hello.next], [[], 2]);
});

test("a call that nobody answers is given up: on a connection that lives", async () => {
  const browser = new Browser({ page: { timeout: 3 } });
  browser.connects({ ping: 1000 });
  const [first, second] = [browser.invoke("slow"), browser.invoke("behind it")];
  await browser.clock.pass(17_000);
  browser.frame(101, { type: "reply", n: 1, ok: 1 });
  assert.equal(await first, 1);
  await browser.clock.pass(16_500); // its turn came only with the first one's reply
  assert.equal(await Browser.outcome(second), "pending");
  await browser.clock.pass(2500);
  assert.equal((await Browser.outcome(second)).code, "timeout");
});

test("calls are given up too while the server takes connections but never welcomes", async () => {
  const browser = new Browser();
  const promise = browser.invoke("lost");
  for (let second = 0; second < 75; second += 1) {
    browser.opens();
    browser.closes();
    await browser.clock.pass(1000);
  }
  assert.equal((await Browser.outcome(promise)).code, "timeout");
});

test("nothing is given up between hello and welcome, since the server expects what hello has named", async () => {
  const browser = new Browser({ page: { timeout: 3 } });
  const promise = browser.invoke("late");
  await browser.clock.pass(500);
  assert.deepEqual(browser.opens().pending, [1]);
  await browser.clock.pass(8000);
  browser.welcome();
  assert.deepEqual(numbers(browser.sentOf("call")), [1]);
  assert.equal(await Browser.outcome(promise), "pending");
});

test("arguments are taken when the call is made", async () => {
  const browser = new Browser();
  const points = [1];
  browser.invoke("stroke", points);
  points.push(2);
  browser.connects();
  assert.deepEqual(browser.sentOf("call")[0].args, [[1]]);
});

test("arguments that are not JSON, or too large, reject without using up a number", async () => {
  const browser = new Browser();
  browser.connects();
  const circle = {};
  circle.circle = circle;
  await assert.rejects(browser.invoke("circle", circle), { code: "arguments" });
  await assert.rejects(browser.invoke("large", "ä".repeat(40_000)), { code: "large" });
  browser.invoke("fits", "a".repeat(60_000));
  await settle();
  assert.deepEqual(numbers(browser.sentOf("call")), [1]);
});

test("volatile calls have no number, and are dropped without a connection", () => {
  const browser = new Browser();
  browser.client.calls.send("pointer", [1, 2]);
  browser.connects();
  browser.client.calls.send("pointer", [3, 4]);
  assert.deepEqual(browser.sentOf("call"), [
    { type: "call", n: 0, method: "pointer", args: [3, 4], done: 0, handled: 100 },
  ]);
});

test("at most a thousand calls wait", async () => {
  const browser = new Browser();
  const promises = Array.from({ length: 1001 }, () => browser.invoke("flood"));
  await assert.rejects(promises.pop(), { code: "busy" });
});

test("a reloaded document adopts what its predecessor left unsettled, before its own calls", async () => {
  const [clock, storage] = [new Clock(), new Memory()];
  const first = new Browser({ clock, storage, document: "first" });
  first.connects();
  for (const name of ["a", "b", "c"]) first.invoke(name, name);
  await settle();
  first.frame(101, { type: "reply", n: 2, ok: 0 });
  first.client.pause();

  await clock.pass(1);
  const second = new Browser({ clock, storage, document: "second", page: { base: 101 } });
  second.invoke("own");
  await settle();
  assert.deepEqual(second.opens().adopts, [{ document: "first", pending: [1, 3] }]);
  second.welcome();
  assert.deepEqual(
    second.sentOf("call").map(({ document, n, done, args }) => [document, n, done, args]),
    [["first", 1, 0, ["a"]], ["first", 3, 0, ["c"]], [undefined, 1, 0, []]],
  );
  second.frame(102, { type: "reply", n: 1, ok: 0, document: "first" });
  assert.equal(second.client.calls.greeting().pending.length, 1); // not its own call 1

  // A third one finds what is left, of both, oldest first, wherever the browser keeps it.
  const kept = storage.getItem("grimoire/s-p1/calls/first");
  storage.removeItem("grimoire/s-p1/calls/first");
  storage.setItem("grimoire/s-p1/calls/first", kept);
  const third = new Browser({ clock, storage, document: "third" });
  assert.deepEqual(third.opens().adopts, [
    { document: "first", pending: [3] },
    { document: "second", pending: [1] },
  ]);
  third.welcome();
  third.frame(0, { type: "error", n: 3, code: "interrupted", message: "", document: "first" });
  third.frame(103, { type: "reply", n: 1, ok: 0, document: "second" });
  assert.deepEqual(third.client.calls.carried(), []);
  assert.deepEqual(Object.keys(storage.entries()).filter((key) => key.includes("calls")), []);
});

test("calls of another stay, or of another player, are not adopted", async () => {
  const [clock, storage] = [new Clock(), new Memory()];
  new Browser({ clock, storage, document: "first" }).invoke("a");
  await settle();
  assert.deepEqual(new Browser({ clock, storage, page: { player: "s-p2" }, document: "x" }).opens().adopts, []);
  assert.deepEqual(new Browser({ clock, storage, page: { stay: 8 }, document: "y" }).opens().adopts, []);
  assert.deepEqual(new Browser({ clock, storage, document: "z" }).opens().adopts, []); // dropped for good
});

test("evidence 20: what has not settled can be carried by a submission", async () => {
  const browser = new Browser();
  browser.connects();
  const { calls } = browser.client;
  assert.deepEqual(calls.carried(), []);
  browser.invoke("a", 1);
  browser.invoke("b", 2);
  await settle();
  browser.frame(101, { type: "reply", n: 1, ok: 0 });
  assert.deepEqual(calls.carried(), [{ document: "d1", calls: [{ n: 2, method: "b", args: [2] }] }]);
  browser.frame(102, { type: "reply", n: 2, ok: 0 });
  assert.deepEqual(calls.carried(), []);
});

test("without storage everything works within the document", async () => {
  const broken = { get length() { throw new Error("refused"); }, key() { throw new Error(); }, getItem() { throw new Error(); },
    setItem() { throw new Error("full"); }, removeItem() { throw new Error(); } };
  for (const storage of [broken, null]) {
    const browser = new Browser({ storage });
    browser.connects();
    const promise = browser.invoke("a");
    await settle();
    browser.frame(101, { type: "event", name: null, data: 1, keep: "k" }, { type: "reply", n: 1, ok: 5 });
    browser.frame(102, { type: "event", name: null, data: 1, keep: "k" });
    assert.equal(await promise, 5);
    assert.deepEqual(browser.events(), [1]);
  }
});
