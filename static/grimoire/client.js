/**
 * One document's conversation with the server: hello, frames in order, each event once, acknowledgements.
 * Asks a `Face` for what happens on the page.
 */

import { makeCalls } from "./calls.js";
import { connect } from "./connection.js";
import { openStore } from "./store.js";

const VERSION = 1;
const ACK_DELAY = 100;
const MOST_GREETED = 100; // kept ids in hello, the newest; what the server sends again all the same is skipped

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
  /** Frames that wait until the page is there. @type {Wire.Frame[] | null} */
  let held = [];
  let state = "active";
  let told = state;

  const send = (/** @type {object} */ message) => connection.send(JSON.stringify(message));

  const settleAck = () => {
    here.clearTimeout(ackTimer);
    ackTimer = 0;
  };
  const acknowledge = () => {
    settleAck();
    // Unsent, `handled` goes with the next hello, and kept ids after its welcome.
    if (send({ type: "handled", seq: handled, kept })) kept = [];
  };
  const owe = () => void (ackTimer ||= here.setTimeout(acknowledge, ACK_DELAY));

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
      kept: store.kept().slice(-MOST_GREETED),
      ...calls.greeting(),
    }),
    frame(frame) {
      if (!held) return handle(frame);
      held.push(frame);
      for (const message of frame.messages) if (message.type === "bye") bye(message.reason);
    },
    up(again) {
      told = "active"; // which the server takes for granted after hello
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
      if (!kept.length) settleAck(); // the call carries it
      return handled;
    },
    timeout,
    limit,
  });

  const handle = (/** @type {Wire.Frame} */ { seq, messages }) => {
    const again = seq > 0 && seq <= handled;
    // Remembered before it is dispatched: a handler that fails, or leaves the page, has had its event.
    if (seq > handled) {
      handled = seq;
      owe();
    }
    for (const message of messages) {
      try {
        take(message, seq, again);
      } catch (error) {
        here.report(error);
      }
    }
  };

  /** @type {(message: Wire.Outgoing, seq: number, again: boolean) => void} */
  const take = (message, seq, again) => {
    switch (message.type) {
      case "event": {
        const { name, data, keep } = message;
        if (keep) {
          kept.push(keep); // also if it comes again: then the acknowledgement was lost
          owe();
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
        return face.resync();
      case "go":
        return face.go(message);
      case "message":
        return face.message(message.text);
      case "bye":
        return bye(message.reason);
      // Other types belong to newer servers.
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
      waiting.forEach(handle);
    },
    show(now) {
      state = now;
      tellState();
    },
    pause() {
      if (ackTimer) acknowledge();
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
