/** One document's conversation with the server: hello, each event once, acknowledgements. The page is a `Face`. */

import { makeCalls } from "./calls.js";
import { connect } from "./connection.js";
import { openStore } from "./store.js";

const VERSION = 1;
const KEPT_DELAY = 100;
const ACK_DELAY = 1000; // each costs the server as much as a delivery
const MOST_OWED = 50;
const LARGE = 4000; // so many characters count as one more
const MOST_GREETED = 100; // kept ids in hello

/** What close codes stand for. @type {Record<number, string>} */
const REASONS = { 4404: "gone", 4009: "takeover", 4010: "version" };
const FINAL = ["takeover", "refused", "gone", "version"];

/** @type {MakeClient} */
export const makeClient = ({ base, player, stay, timeout, limit }, url, here, face) => {
  const document = here.nonce();
  const store = openStore(here.storage, player, document, stay);
  const tab = store.takeTab() ?? here.nonce();
  let handled = base;
  /** Handled kept events to acknowledge. @type {string[]} */
  let kept = [];
  let ackTimer = 0;
  let ackDue = Infinity;
  let owed = 0;
  /** What waits until the page is there. @type {[Wire.Frame, number][] | null} */
  let held = [];
  let state = "active";
  let told = state;
  let connections = 0;

  const send = (/** @type {object} */ message) => connection.send(JSON.stringify(message));

  const settleAck = () => {
    here.clearTimeout(ackTimer);
    ackDue = Infinity;
    owed = 0;
  };
  const acknowledge = () => {
    settleAck();
    if (send({ type: "handled", seq: handled, kept })) kept = [];
  };
  const owe = (/** @type {number} */ delay) => {
    const due = here.now() + delay;
    if (due >= ackDue) return;
    here.clearTimeout(ackTimer);
    ackDue = due;
    ackTimer = here.setTimeout(acknowledge, delay);
  };

  const tellState = () => {
    if (state !== told && send({ type: "here", state })) told = state;
  };

  const connection = connect(url, here, {
    hello: () => ({
      type: "hello",
      version: VERSION,
      stay,
      document,
      tab,
      base,
      handled,
      connection: ++connections,
      kept: store.kept().slice(-MOST_GREETED),
      ...calls.greeting(),
    }),
    frame(frame, size) {
      if (!held) return handle(frame, size);
      held.push([frame, size]);
      for (const message of frame.messages) if (message.type === "bye") bye(message.reason);
    },
    up(again) {
      told = "active"; // as the server believes after hello
      tellState();
      if (kept.length) acknowledge();
      calls.up();
      face.up(again);
    },
    down(wasUp) {
      calls.down();
      if (wasUp) face.down();
    },
    closed: (code) => bye(REASONS[code]),
  });

  const calls = makeCalls(store, here, {
    send: connection.send,
    handled() {
      if (!kept.length) settleAck();
      return handled;
    },
    timeout,
    limit,
  });

  /** @type {(frame: Wire.Frame, size: number) => void} */
  const handle = ({ seq, messages }, size) => {
    const again = seq > 0 && seq <= handled;
    // Before dispatch: a handler that fails, or leaves the page, has had its event.
    if (seq > handled) {
      handled = seq;
      // Outcomes are settled by the next call's `done`.
      if (!messages.every(({ type }) => type === "reply" || type === "error")) {
        owed += 1 + size / LARGE;
        owe(ACK_DELAY);
      }
    }
    for (const message of messages) {
      try {
        take(message, seq, again);
      } catch (error) {
        here.report(error);
      }
    }
    if (owed >= MOST_OWED) acknowledge();
  };

  /** @type {(message: Wire.Outgoing, seq: number, again: boolean) => void} */
  const take = (message, seq, again) => {
    switch (message.type) {
      case "event": {
        const { name, data, keep } = message;
        if (keep) {
          kept.push(keep); // also if it comes again
          owe(KEPT_DELAY);
        }
        if (keep ? store.keepHandled(keep) : !again) face.event(data, { name, seq, kept: !!keep });
        return;
      }
      case "reply":
        return calls.settle(message);
      case "error":
        if (message.n) return calls.settle(message);
        return here.report(`The server did not take a frame: ${message.code}: ${message.message}`);
      case "welcome":
        if (!message.resync) return;
        handled = Math.max(handled, message.seq);
        acknowledge();
        return face.resync();
      case "go":
        return face.go(message);
      case "message":
        return face.message(message.text);
      case "bye":
        return bye(message.reason);
    }
  };

  const bye = (/** @type {string | undefined} */ reason) => {
    if (!reason || !FINAL.includes(reason) || connection.status === "stopped") return; // we shall come back
    connection.stop();
    calls.down();
    face.bye(reason);
  };

  return {
    store,
    calls,
    connection,
    ready() {
      const waiting = held ?? [];
      held = null;
      for (const one of waiting) handle(...one);
    },
    show(now) {
      state = now;
      tellState();
    },
    pause() {
      if (ackDue < Infinity) acknowledge();
      store.putTab(tab);
      connection.stop();
      calls.down();
    },
    resume() {
      store.takeTab();
      connection.start();
    },
  };
};
