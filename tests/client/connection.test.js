/** The socket: heart beat, losses noticed and mended, delays that grow and scatter, the server's clock. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Clock, settle } from "./browser.js";

test("evidence 21: delays grow to ten seconds, with full jitter", async () => {
  const browser = new Browser();
  browser.jitter = 0.999;
  const opened = [];
  for (let count = 0; count < 9; count += 1) {
    const before = browser.clock.time;
    browser.closes();
    while (browser.sockets.length < count + 2) await browser.clock.pass(10);
    opened.push(browser.clock.time - before);
  }
  assert.deepEqual(opened.map((delay) => Math.round(delay / 250) * 250), [250, 500, 1000, 2000, 4000, 8000, 10000, 10000, 10000]);
  browser.jitter = 0;
  browser.closes();
  await browser.clock.pass(0);
  assert.equal(browser.sockets.length, 11);
});

test("evidence 21: after a connection that lasted, the first delay is short again; after one that did not, it is not", async () => {
  const browser = new Browser();
  browser.jitter = 0.999;
  for (let count = 0; count < 6; count += 1) {
    browser.connects();
    browser.closes();
    if (count) {
      await browser.clock.pass(251);
      assert.equal(browser.sockets.length, count + 1);
    }
    await browser.clock.pass(10_000);
  }
  browser.connects();
  await browser.clock.pass(6000);
  browser.closes();
  const before = browser.sockets.length;
  await browser.clock.pass(251);
  assert.equal(browser.sockets.length, before + 1);
});

test("evidence 21: a loss is mended within the document: nothing is loaded again, nothing missed or handled twice", async () => {
  const browser = new Browser();
  const first = browser.connects();
  browser.frame(101, { type: "event", name: null, data: "before" });
  const call = browser.invoke("a");
  for (let losses = 1; losses <= 3; losses += 1) {
    browser.closes();
    await browser.clock.pass(10_000);
    const hello = browser.connects();
    assert.deepEqual([hello.document, hello.stay, hello.handled], [first.document, first.stay, 100 + losses]);
    browser.frame(100 + losses, { type: "event", name: null, data: "handled already" });
    browser.frame(101 + losses, { type: "event", name: null, data: `missed ${losses}` });
  }
  browser.frame(0, { type: "reply", n: 1, ok: "answered" });
  assert.equal(await call, "answered");
  assert.deepEqual(browser.events(), ["before", "missed 1", "missed 2", "missed 3"]);
  assert.deepEqual(browser.seen.filter(([what]) => ["go", "resync", "bye"].includes(what)), []);
});

test("after being closed for flooding the next attempt takes its time", async () => {
  const browser = new Browser();
  browser.jitter = 0.999;
  browser.connects();
  await browser.clock.pass(6000);
  browser.closes(4029);
  await browser.clock.pass(9900);
  assert.equal(browser.sockets.length, 1);
  await browser.clock.pass(100);
  assert.equal(browser.sockets.length, 2);
});

test("evidence 21: coming online or being looked at reconnects at once", async () => {
  const browser = new Browser();
  browser.jitter = 0.999;
  for (let count = 0; count < 8; count += 1) {
    browser.closes();
    await browser.clock.pass(10_000);
  }
  browser.closes();
  const before = browser.sockets.length;
  browser.client.connection.wake();
  assert.equal(browser.sockets.length, before + 1);
  browser.client.connection.wake(); // while opening: once is enough
  assert.equal(browser.sockets.length, before + 1);
  await browser.clock.pass(9000); // the timer of the delay is gone
  assert.equal(browser.sockets.length, before + 1);
});

test("evidence 21: a half-open socket is noticed within seconds of the ping, and nobody listens to it any more", async () => {
  const browser = new Browser();
  browser.connects({ ping: 20 });
  await browser.clock.pass(20_000);
  assert.equal(browser.sentOf("ping").length, 1);
  await browser.clock.pass(4_900);
  assert.equal(browser.client.connection.status, "up");
  const old = browser.socket;
  await browser.clock.pass(200);
  assert.equal(old.closedWith, 4000);
  assert.deepEqual(browser.seen.at(-1), ["down"]);
  assert.equal(old.onmessage, null);
  await browser.clock.pass(300);
  assert.equal(browser.sockets.length, 2);
});

test("a half-open socket is noticed also where pings are more frequent than the patience for a pong", async () => {
  const browser = new Browser();
  browser.connects({ ping: 1 });
  await browser.clock.pass(6_100);
  assert.deepEqual(browser.seen.at(-1), ["down"]);
});

test("a pong keeps the connection, so does any frame", async () => {
  const browser = new Browser();
  browser.connects({ ping: 20 });
  for (let count = 0; count < 5; count += 1) {
    await browser.clock.pass(20_000);
    if (count % 2) browser.frame(0, { type: "pong", sent: browser.sentOf("ping").at(-1).sent, clock: 1 });
    else browser.frame(101 + count, { type: "event", name: null, data: 1 });
  }
  await browser.clock.pass(6000);
  assert.equal(browser.sockets.length, 1);
  assert.equal(browser.sentOf("ping").length, 5);
});

test("a connection that is never welcomed is given up after ten seconds", async () => {
  const browser = new Browser();
  await browser.clock.pass(10_500);
  assert.equal(browser.sockets.length, 2);
  browser.opens();
  await browser.clock.pass(12_000);
  assert.equal(browser.sockets.length, 3);
});

test("a socket that cannot even be made is tried again", async () => {
  const browser = new Browser();
  browser.closes();
  const { WebSocket } = globalThis;
  await browser.clock.pass(1000);
  assert.equal(browser.sockets.length, 2);
  assert.equal(globalThis.WebSocket, WebSocket); // the logic took none of its own
});

test("waking a connection that is up asks the server, and tells when it was heard", async () => {
  const browser = new Browser();
  browser.connects();
  await browser.clock.pass(500);
  browser.client.connection.wake();
  assert.equal(browser.sentOf("ping").length, 1);
  await browser.clock.pass(70);
  assert.equal(browser.client.connection.heard, 1000);
  browser.frame(0, { type: "pong", sent: 1, clock: 5000 });
  assert.equal(browser.client.connection.heard, 1570);
});

test("evidence 27: the clock is the server's, from the quickest answer, whatever the participant's says", async () => {
  const clock = new Clock();
  const browser = new Browser({ clock });
  assert.equal(browser.client.connection.clock(), 1_700_000_001);
  browser.opens();
  clock.time += 200;
  browser.welcome({ clock: 5000 });
  assert.ok(Math.abs(browser.client.connection.clock() - 5000.1) < 1e-6);
  await clock.pass(20_000);
  const { sent } = browser.sentOf("ping")[0];
  clock.time += 20;
  browser.frame(0, { type: "pong", sent, clock: 6000 });
  assert.ok(Math.abs(browser.client.connection.clock() - 6000.01) < 1e-6);
  await clock.pass(20_000);
  clock.time += 3000;
  browser.frame(0, { type: "pong", sent: browser.sentOf("ping")[1].sent, clock: 9999 }); // slower: less is known
  assert.ok(Math.abs(browser.client.connection.clock() - 6023.01) < 1e-6);
});

test("stopped is stopped: no timer is left", async () => {
  const browser = new Browser();
  browser.connects();
  browser.client.pause();
  await settle();
  assert.equal(browser.clock.pending, 0);
  browser.client.connection.wake();
  assert.equal(browser.sockets.length, 1);
});
