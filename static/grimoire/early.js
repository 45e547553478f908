/* Inlined into <head>: `grimoire` for inline scripts, before the modules have loaded. Never talks to the server. */
{
  const find = document.getElementById.bind(document);
  const page = JSON.parse(find("grimoire-page")?.textContent || "{}");
  const texts = page.texts || {};
  const words = page.words || {};
  /** @type {Early["handlers"]} */
  const handlers = {};
  /** @type {Early["queue"]} */
  const queue = [];
  const offset = page.clock * 1000 - performance.now(); // the page has just come
  let ready = false;

  /** @type {Early["run"]} */
  const run = (kind, ...args) => {
    const present = handlers[kind] || [];
    for (const handler of present) {
      try {
        handler(...args);
      } catch (error) {
        console.error(error);
      }
    }
    return present.length;
  };

  const add = (/** @type {string} */ kind, /** @type {Function} */ handler) => {
    if (typeof handler !== "function") throw new TypeError(`Expected a function, found ${handler}`);
    handlers[kind] = [...(handlers[kind] || []), handler];
    return () => void (handlers[kind] = handlers[kind].filter((other) => other !== handler));
  };

  const later =
    (/** @type {any} */ name) =>
    (/** @type {any[]} */ ...args) =>
      new Promise((resolve, reject) => queue.push([name, args, resolve, reject]));

  // A button has one id, and may be known by the other.
  document.getElementById = (id) =>
    find(id) || find(/^uproot-/.test(id) ? id.replace("uproot", "grimoire") : (id + "").replace(/^grimoire-/, "uproot-"));

  window.grimoire = window.uproot = {
    vars: page.vars || {},
    receive: null,
    invoke: later("invoke"),
    send: later("send"),
    submit: later("submit"),
    clock: () => (performance.now() + offset) / 1000,
    on: (name, handler) => add("event " + name, handler),
    onCustomEvent: (name, handler) =>
      window.grimoire.on(name, (data, meta) => handler(new CustomEvent(name, { detail: { data, ...meta } }))),
    onReady: (handler) => {
      if (ready) queueMicrotask(handler);
      return add("ready", handler);
    },
    onReconnect: (handler) => add("reconnect", handler),
    onDisconnect: (handler) => add("disconnect", handler),
    onResync: (handler) => add("resync", handler),
    I: (id) => document.getElementById(id),
    _: (text, /** @type {any} */ values = {}) => String(words[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place),
    early: { page, texts, handlers, queue, run, offset },
  };
  window.I ||= window.grimoire.I;
  window._ ||= window.grimoire._;

  // Authors write `<button onclick="grimoire.invoke(…)">`, which would submit.
  const pin = (/** @type {any} */ { target }) => {
    const button = target.closest?.("button:not([type])");
    if (button && button.form === find("grimoire-form")) button.type = "button";
  };
  document.addEventListener("click", pin, true);

  document.addEventListener("DOMContentLoaded", () => {
    ready = true;
    run("ready");
  });
}
