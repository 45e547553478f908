/** On pages with a time limit: shows and says how much is left, and posts what is there when it is over. */

const RETRY = 5_000; // after a post that came to nothing
const LATER = 500; // what is said while a page is loading gets lost

const { grimoire } = window;
const { deadline, countdown } = grimoire.early.page;
const { start = "", up = "", moments = {} } = countdown ?? {};

/** Seconds left, by the server's clock. */
const left = () => (deadline ?? 0) - grimoire.clock();

// For screen readers: the time that is shown is not read out each second.
const region = Object.assign(document.createElement("p"), { className: "visually-hidden" });
region.setAttribute("role", "status");
document.body.append(region);
let said = Infinity;

/** @type {(text: string, urgent?: boolean) => void} */
const say = (text, urgent) => {
  region.setAttribute("aria-live", urgent ? "assertive" : "polite");
  region.textContent = text;
};

/** Of the moments that have passed only the last is said. @type {(seconds: number) => void} */
const announce = (seconds) => {
  const passed = Object.keys(moments).map(Number).filter((moment) => moment >= seconds && moment < said);
  if (!passed.length) return;
  said = Math.min(...passed);
  say(moments[said] ?? "", said <= 10);
};

/** @type {(seconds: number) => string} */
const clock = (seconds) => {
  const two = (/** @type {number} */ number) => String(number % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds)}` : `${Math.floor(minutes / 60)}:${two(minutes)}:${two(seconds)}`;
};

const show = () => {
  const seconds = Math.max(0, Math.ceil(left()));
  for (const place of document.querySelectorAll("[data-grimoire-time]")) {
    place.textContent = clock(seconds);
    place.closest(".grimoire-timeout")?.classList.toggle("is-short", seconds <= 10);
  }
  if (seconds) announce(seconds);
};

/** @type {() => HTMLFormElement | null | undefined} */
const pageForm = () => document.querySelector('input[type=hidden][name="_submission"]')?.closest("form");

/** Handlers of the author may put last values into the form, and cannot refuse. */
const post = () => {
  const form = pageForm();
  if (!form || document.querySelector("button[aria-busy]")) return; // pressed in time: the server has the say
  if (!form.elements.namedItem("_timed_out")) {
    const input = document.createElement("input");
    form.append(Object.assign(input, { type: "hidden", name: "_timed_out", value: "1" }));
  }
  form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: false }));
};

let over = false;
let alarm = 0;
const ring = () => {
  clearTimeout(alarm);
  const seconds = left();
  // Set anew only when it rings: browsers hold chains of timers back in tabs that nobody sees.
  if (seconds > 0.02) return void (alarm = setTimeout(ring, Math.min(seconds * 1000, 2 ** 31 - 1)));
  alarm = setTimeout(ring, RETRY);
  if (!over) {
    over = true;
    show();
    say(up, true);
    document.dispatchEvent(new CustomEvent("grimoire:timeout"));
  }
  post();
};

const tick = () => {
  show();
  if (!over && left() <= 0) ring(); // the server has told its time better meanwhile
  if (!over) setTimeout(tick, ((((left() * 1000) % 1000) + 1000) % 1000) + 10);
};

for (const name of ["pageshow", "focus"]) addEventListener(name, ring); // a computer that slept
document.addEventListener("visibilitychange", ring);
grimoire.onReconnect(ring);
grimoire.onReady(() => {
  tick();
  ring();
  if (!over) setTimeout(say, LATER, start);
});
