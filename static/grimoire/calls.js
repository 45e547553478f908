/** Calls until they are settled, also of this tab's previous documents. Owns no socket. */

const MOST_UNSETTLED = 1000;
const GRACE = 15_000; // the server's deadline comes first, and says more
const LOOK = 1000;
const ENVELOPE = 400; // bytes beside the arguments

/** @type {(code: string, message: string, method: string, id?: string) => CallError} */
const callError = (code, message, method, id = "") =>
  Object.assign(new Error(message), { name: "CallError", code, id, method });

/** @type {MakeCalls} */
export const makeCalls = (store, here, { send, handled, timeout = 60, limit = 64_000 }) => {
  /** In order. @type {Map<number, KeptCall>} */
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
    const most = limit - ENVELOPE;
    if (text.length * 3 > most && new Blob([text]).size > most) {
      throw callError("large", `${method}: arguments must take at most ${most} bytes`, method);
    }
    return text;
  };

  /** @type {(call: KeptCall, whose: Unsettled) => void} */
  const post = ({ n, method, args }, { document, calls }) => {
    const done = (calls.keys().next().value ?? next) - 1;
    const whose = document === own.document ? undefined : document;
    const envelope = JSON.stringify({ type: "call", n, method, done, handled: handled(), document: whose });
    send(`${envelope.slice(0, -1)},"args":${args}}`);
  };

  /** @type {(work: (call: KeptCall, whose: Unsettled) => void) => void} */
  const each = (work) => {
    for (const whose of [...adopted, own]) for (const call of [...whose.calls.values()]) work(call, whose);
  };
  const postpone = (/** @type {KeptCall} */ call) => {
    call.deadline = here.now() + timeout * 1000 + (line === "up" ? GRACE : 0);
  };

  const look = () => {
    // The server expects what hello has named.
    if (line !== "greeting") {
      each((call, { document }) => {
        if ((call.deadline ?? 0) > here.now()) return;
        drop(call.n, document);
        call.reject?.(callError("timeout", `${call.method}: no answer from the server`, call.method));
      });
    }
    looking = false;
    lookLater();
  };
  const lookLater = () => {
    if (!looking && (unsettled.size || adopted.length)) looking = here.setTimeout(look, LOOK);
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
        const call = { n: next++, method, args: text, resolve, reject };
        postpone(call);
        unsettled.set(call.n, call);
        store.keepCalls(own);
        if (line === "up") post(call, own);
        lookLater();
      });
    },

    send(method, args) {
      const text = encode(method, args);
      if (line === "up") post({ n: 0, method, args: text }, own);
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
      each((call, whose) => {
        postpone(call);
        post(call, whose);
      });
      lookLater();
    },

    down() {
      const wasUp = line === "up";
      line = "down";
      if (wasUp) each(postpone);
    },

    settle(outcome) {
      const { n, document } = outcome;
      const call = (document || own.document) === own.document && unsettled.get(n);
      drop(n, document || own.document);
      if (!call) return;
      // The time of those behind it begins now.
      each(postpone);
      if (outcome.type === "reply") call.resolve?.(outcome.ok);
      else call.reject?.(callError(outcome.code, outcome.message, call.method, outcome.id));
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
