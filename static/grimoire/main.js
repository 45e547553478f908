/** Joins the client to the page's life and to what the participant sees. */

import { makeClient } from "./client.js";
import { makeNotice } from "./notice.js";
import { watchSubmission } from "./submit.js";

const LOST_DELAY = 1500;
const FIRST_DELAY = 4000; // before the first welcome
const BACK_SHOWN = 3000;
const LEAVING_LIMIT = 5000;
const IDLE = 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "scroll"];

const { grimoire } = window;
const { page, texts, queue, run, handlers, offset } = grimoire.early;
const { show, hide } = makeNotice();
const warn = (/** @type {string} */ key, text = texts[key], label = "", press = () => {}) =>
  show(key, text, { warning: true, label, press });

/** 96 random bits. crypto.randomUUID is missing on plain http. */
const nonce = () => crypto.getRandomValues(new Uint32Array(3)).reduce((text, word) => text + word.toString(36), "");

let leavingUntil = 0;
const leaving = (limit = LEAVING_LIMIT) => void (leavingUntil = performance.now() + limit);

/** A GET, also where the page came from a POST. */
const reload = () => {
  leaving();
  location.replace(location.href.split("#")[0]);
};

let lostTimer = 0;
const lose = (delay = LOST_DELAY) => {
  clearTimeout(lostTimer);
  lostTimer = setTimeout(() => {
    const left = leavingUntil - performance.now();
    if (left > 0) lose(left);
    else warn("lost");
  }, delay);
};

/** @type {Storage | undefined} */
let storage;
try {
  storage = sessionStorage;
} catch {} // where cookies are refused, so is this

const url = new URL(page.live, location.href);
url.protocol = url.protocol.replace("http", "ws");

const client = makeClient(
  page,
  url.href,
  {
    WebSocket,
    now: () => performance.now(),
    wall: Date.now,
    offset,
    setTimeout: (run, delay) => setTimeout(run, delay),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
    storage,
    nonce,
    report: console.error,
  },
  {
    event(data, meta) {
      if (meta.name === null) grimoire.receive?.(data, meta);
      else run("event " + meta.name, data, meta) || console.info("Nobody waits for this event:", meta.name);
    },
    up(again) {
      clearTimeout(lostTimer);
      if (hide("lost")) {
        show("back", texts.back);
        setTimeout(hide, BACK_SHOWN, "back");
      }
      hide("failed");
      if (again) run("reconnect");
    },
    down() {
      lose();
      run("disconnect");
    },
    resync: () => (handlers.resync?.length ? run("resync") : submission.after(reload)),
    go({ to, url = "" }) {
      if (to === "reload") return submission.after(reload);
      const goal = new URL(url, location.href);
      if (!/^https?:$/.test(goal.protocol)) throw new Error("Not a web address: " + url);
      leaving();
      location.assign(goal);
    },
    message: (text) => show(nonce(), text, { label: texts.close }),
    bye(reason) {
      clearTimeout(lostTimer);
      hide("lost");
      warn("bye", texts[reason], { gone: "", version: texts.again }[reason] ?? texts.here, reload);
    },
  },
);
const { calls, connection } = client;

const submission = watchSubmission({
  carried: calls.carried,
  connection,
  failed: () => warn("failed", texts.failed, texts.close),
  leaving,
  nonce,
});

queue.push = (/** @type {Early["queue"]} */ ...items) => {
  for (const [name, [method, ...args], resolve, reject] of items) {
    try {
      resolve(name === "submit" ? submission.press() : calls[name](method, args));
    } catch (error) {
      reject(error);
    }
  }
  return 0;
};
queue.push(...queue.splice(0));
grimoire.clock = connection.clock;
connection.start();
lose(FIRST_DELAY);
grimoire.onReady(() => setTimeout(client.ready)); // after every handler of DOMContentLoaded

let touched = performance.now();
const look = () => client.show(document.hidden ? "hidden" : performance.now() - touched < IDLE ? "active" : "idle");
const touch = () => {
  touched = performance.now();
  look();
};
for (const name of SIGNS) addEventListener(name, touch, { passive: true, capture: true });
setInterval(look, 5000);
document.addEventListener("visibilitychange", () => {
  touch();
  if (!document.hidden) connection.wake();
});
look();

for (const name of ["online", "offline"]) addEventListener(name, connection.wake);
addEventListener("beforeunload", () => leaving());
addEventListener("pagehide", () => {
  leaving();
  client.pause();
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  leaving(0);
  submission.release();
  client.resume();
  lose(FIRST_DELAY);
});

// What no author handled: the participant learns of it, and the reference. Arguments that do not fit were mostly typed.
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason?.name !== "CallError" || reason.code === "stale") return;
  const { code, id, message } = reason;
  const unexpected = texts.error + (id && ` (${id})`);
  warn("error", code === "reject" ? message : code === "arguments" ? texts.input : unexpected, texts.close);
});
