/** One document's way to the server: hello, heartbeat, coming back after a loss. Knows no calls, no events. */

const FIRST_DELAY = 250;
const LONGEST_DELAY = 10_000;
const WELCOME_LIMIT = 10_000;
const PONG_LIMIT = 5_000;
const STEADY = 5_000; // after so long the next delays are short again
const FLOOD = 4029; // after this close code they are long

/** @type {Connect} */
export const connect = (url, here, listener) => {
  const { now, setTimeout, clearTimeout } = here;
  /** @type {Connection["status"]} */
  let status = "stopped";
  /** @type {Socket | null} */
  let socket = null;
  let attempt = 0;
  let since = 0; // up
  let greeted = 0;
  let heard = 0;
  let again = false;
  let ping = 0;
  let { offset } = here;
  let quickest = Infinity; // round trip
  let timer = 0;
  let pongTimer = 0;

  const calm = () => {
    clearTimeout(pongTimer);
    pongTimer = 0;
  };

  /** A half-open socket takes minutes to close: nobody listens to it any more. */
  const leave = (code = 1000) => {
    clearTimeout(timer);
    calm();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
    socket = null;
  };

  const open = () => {
    leave();
    status = "opening";
    try {
      const mine = (socket = new here.WebSocket(url));
      mine.onopen = () => {
        status = "greeting";
        greeted = now();
        mine.send(JSON.stringify(listener.hello()));
      };
      mine.onmessage = ({ data }) => receive(data);
      mine.onclose = ({ code }) => lose(code);
    } catch (error) {
      here.report(error);
    }
    timer = setTimeout(lose, WELCOME_LIMIT);
  };

  /** Without a code we gave it up ourselves. */
  const lose = (code = 0) => {
    const wasUp = status === "up";
    if (code === FLOOD) attempt = 6;
    else if (wasUp && now() - since > STEADY) attempt = 0;
    leave(4000);
    status = "waiting";
    // Full jitter: those who lost the server together do not come back together.
    const delay = here.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempt++);
    timer = setTimeout(open, delay);
    listener.down(wasUp);
    if (code) listener.closed(code);
  };

  const receive = (/** @type {string} */ text) => {
    /** @type {Wire.Frame} */
    let frame;
    try {
      frame = JSON.parse(text);
      if (!(frame.seq >= 0) || !frame.messages.every((message) => message.type)) throw text;
    } catch {
      return here.report("The server sent what is not a frame:", text);
    }
    heard = now();
    calm(); // anything is a sign of life
    const before = status;
    for (const message of frame.messages) {
      if (message.type === "pong") learn(message.clock, message.sent * 1000);
      if (message.type === "welcome" && status === "greeting") {
        status = "up";
        since = heard;
        ping = Math.max(1, message.ping || 20) * 1000;
        quickest = Infinity;
        learn(message.clock, greeted);
        rest();
      }
    }
    listener.frame(frame, text.length);
    if (status === "up" && before !== status) {
      listener.up(again);
      again = true;
    }
  };

  // The quickest answer tells the server's time best.
  const learn = (/** @type {number} */ clock, /** @type {number} */ sent) => {
    const trip = now() - sent;
    if (trip < 0 || trip >= quickest) return;
    quickest = trip;
    offset = clock * 1000 + trip / 2 - now();
  };

  const rest = () => {
    clearTimeout(timer);
    timer = setTimeout(beat, ping);
  };

  const beat = () => {
    send(JSON.stringify({ type: "ping", sent: now() / 1000 }));
    pongTimer ||= setTimeout(lose, PONG_LIMIT);
    rest();
  };

  const send = (/** @type {string} */ text) => {
    if (status !== "up") return false;
    socket?.send(text);
    return true;
  };

  const wake = () => {
    if (status === "up") beat();
    else if (status === "waiting") open();
  };

  return {
    get status() {
      return status;
    },
    get heard() {
      return heard;
    },
    start() {
      if (status === "stopped") open();
    },
    stop() {
      status = "stopped";
      leave();
    },
    wake,
    send,
    clock: () => (now() + offset) / 1000,
  };
};
