/** Calls of live methods, until they are settled; also those of this tab's previous documents. Owns no socket. */

const MOST_UNSETTLED = 1000;
const GRACE = 15_000; // the server's own deadline for a method comes first, and says more
const LOOK = 1000;
const ENVELOPE = 400; // bytes of a call beside its arguments, at most

/** @type {(code: string, message: string, method: string, id?: string) => CallError} */
const callError = (code, message, method, id = "") =>
  Object.assign(new Error(message), { name: "CallError", code, id, method });

/** @type {MakeCalls} */
export const makeCalls = (store, here, { send, handled, timeout = 60, limit = 65_536 }) => {
  /** In order. @type {Map<number, OwnCall>} */
  const unsettled = new Map();
  const own = { document: store.document, since: here.wall(), calls: unsettled };
  let adopted = store.predecessors();
  let next = 1;
  /** @type {"down" | "greeting" | "up"} */
  let line = "down";
  let looking = false;

  /** As JSON, now: what was passed may change later. @type {(method: string, args: unknown[]) => string} */
  const encode = (method, args) => {
    let text = "";
    try {
      text = JSON.stringify(args);
    } catch (error) {
      throw callError("arguments", `${method}: arguments must be JSON: ${error}`, method);
    }
    // A frame that is too large would end the connection and be sent again, for ever.
    const most = limit - ENVELOPE;
    if (text.length * 3 > most && new Blob([text]).size > most) {
      throw callError("large", `${method}: arguments must take at most ${most} bytes`, method);
    }
    return text;
  };

  /** @type {(call: KeptCall, done: number, document?: string) => void} */
  const post = ({ n, method, args }, done, document) => {
    const envelope = JSON.stringify({ type: "call", n, method, done, handled: handled(), document });
    send(`${envelope.slice(0, -1)},"args":${args}}`);
  };

  /** The highest number up to which all have settled. @type {(calls: Map<number, object>, next: number) => number} */
  const done = (calls, next) => (calls.keys().next().value ?? next) - 1;

  const postpone = (/** @type {OwnCall} */ call) => {
    call.deadline = here.now() + timeout * 1000 + (line === "up" ? GRACE : 0);
  };

  const look = () => {
    // Not between hello and welcome: the server expects what hello has named.
    if (line !== "greeting") {
      for (const call of unsettled.values()) {
        if (call.deadline > here.now()) break; // those behind it have later deadlines
        drop(call.n);
        call.reject(callError("timeout", `${call.method}: no answer from the server`, call.method));
      }
    }
    lookLater();
  };
  const lookLater = () => {
    looking = unsettled.size > 0;
    if (looking) here.setTimeout(look, LOOK);
  };

  const drop = (/** @type {number} */ n, document = own.document) => {
    for (const one of [...adopted, own]) {
      if (one.document !== document) continue;
      one.calls.delete(n);
      store.keepCalls(one);
    }
    adopted = adopted.filter(({ calls }) => calls.size);
  };

  return {
    invoke: async (method, args) => {
      const text = encode(method, args);
      if (unsettled.size >= MOST_UNSETTLED) throw callError("busy", `${method}: too many calls wait`, method);
      return new Promise((resolve, reject) => {
        const call = { n: next++, method, args: text, resolve, reject, deadline: 0 };
        postpone(call);
        unsettled.set(call.n, call);
        store.keepCalls(own);
        if (line === "up") post(call, done(unsettled, next));
        if (!looking) lookLater();
      });
    },

    send(method, args) {
      const text = encode(method, args);
      if (line === "up") post({ n: 0, method, args: text }, done(unsettled, next));
    },

    greeting() {
      line = "greeting";
      return {
        pending: [...unsettled.keys()],
        next,
        adopts: adopted.map(({ document, calls }) => ({ document, pending: [...calls.keys()] })),
      };
    },

    up() {
      line = "up";
      for (const { document, calls } of adopted) {
        for (const call of calls.values()) post(call, done(calls, 0), document);
      }
      for (const call of unsettled.values()) {
        postpone(call);
        post(call, done(unsettled, next));
      }
    },

    down() {
      const wasUp = line === "up";
      line = "down";
      if (wasUp) unsettled.forEach(postpone);
    },

    settle(outcome) {
      const { n, document } = outcome;
      const call = (document || own.document) === own.document && unsettled.get(n);
      drop(n, document || own.document);
      if (!call) return; // adopted, answered before, or given up
      // Calls run one after the other: the time of those behind this one begins now.
      unsettled.forEach(postpone);
      if (outcome.type === "reply") call.resolve(outcome.ok);
      else call.reject(callError(outcome.code, outcome.message, call.method, outcome.id));
    },

    carried: () =>
      [...adopted, own]
        .filter(({ calls }) => calls.size)
        .map(({ document, calls }) => ({
          document,
          calls: Array.from(calls.values(), ({ n, method, args }) => ({ n, method, args: JSON.parse(args) })),
        })),
  };
};
