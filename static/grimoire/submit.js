/** Next: pending calls first, one submission however often it is pressed, never a dead button. The browser posts. */

const CALLS_LIMIT = 10_000;
const SOCKET_LIMIT = 3_000;
const PROBE_LIMIT = 5_000;
const PAGE_LIMIT = 30_000; // then the button can be pressed again
const FILE_LIMIT = 3600_000; // where a press would cancel a slow upload

/** @type {(form: Element | Document, name: string) => HTMLInputElement | null} */
const hidden = (form, name) => form.querySelector(`input[type=hidden][name="${name}"]`);

const create = () => document.createElement("input");

/** @type {(form: HTMLFormElement, name: string, value: string, input?: HTMLInputElement) => HTMLInputElement} */
const put = (form, name, value, input = hidden(form, name) ?? create()) => {
  form.append(Object.assign(input, { type: "hidden", name, value }));
  return input;
};

/** Whether it comes true in time. @type {(condition: () => boolean, limit: number) => Promise<boolean>} */
const until = async (condition, limit) => {
  const end = performance.now() + limit;
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  return condition();
};

/** Some networks let no websocket through. */
const probe = () =>
  fetch(import.meta.url, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PROBE_LIMIT) }).then(
    (response) => response.ok,
    () => false,
  );

const nextButton = () => {
  const button = document.getElementById("grimoire-button-next");
  return button instanceof HTMLButtonElement ? button : undefined;
};

/** @type {(way: Way) => Submission} */
export const watchSubmission = (way) => {
  /** The form that is under way. @type {HTMLFormElement | undefined} */
  let form;
  /** @type {HTMLElement | undefined | null} */
  let button;
  let timer = 0;
  /** What the pressed button says. @type {HTMLInputElement | undefined} */
  let pressed;
  /** What would cancel the submission waits. @type {(() => void) | undefined} */
  let next;

  const release = () => {
    clearTimeout(timer);
    button?.removeAttribute("aria-busy");
    form = button = undefined;
    next?.();
    next = undefined;
  };

  /** @type {(chosen: HTMLFormElement, submitter: HTMLElement | null) => Promise<void>} */
  const submit = async (chosen, submitter) => {
    if (form) return; // a double click
    form = chosen;
    button = submitter ?? nextButton();
    button?.setAttribute("aria-busy", "true"); // not disabled, which would move the focus away

    await until(() => !way.carried().length, CALLS_LIMIT);
    const asked = performance.now();
    way.connection.wake();
    if (!(await until(() => way.connection.heard > asked, SOCKET_LIMIT)) && !(await probe())) {
      release();
      return way.failed();
    }
    if (!hidden(chosen, "_submission")?.value) put(chosen, "_submission", way.nonce());
    const calls = way.carried();
    if (calls.length) put(chosen, "_calls", JSON.stringify(calls));
    else hidden(chosen, "_calls")?.remove();
    pressed?.remove(); // else Back would be pressed along with Next
    const name = submitter?.getAttribute("name");
    pressed = name ? put(chosen, name, submitter?.getAttribute("value") ?? "", create()) : undefined;

    const limit = chosen.querySelector("[type=file]") ? FILE_LIMIT : PAGE_LIMIT;
    way.leaving(limit);
    timer = setTimeout(release, limit);
    HTMLFormElement.prototype.submit.call(chosen); // an input may be called "submit"
  };

  // On window: after every handler of the author, one of which may have refused.
  addEventListener("submit", (event) => {
    const chosen = event.target;
    if (event.defaultPrevented || !(chosen instanceof HTMLFormElement) || !hidden(chosen, "_submission")) return;
    event.preventDefault();
    submit(chosen, event.submitter);
  });
  // Stopped by the participant; later, since the same would stop what waits.
  /** @type {any} */ (window).navigation?.addEventListener("navigateerror", () => setTimeout(release));

  return {
    release,
    after: (run) => void (form ? (next = run) : run()),
    press() {
      const next = nextButton();
      const form = next?.form ?? hidden(document, "_submission")?.form;
      if (!form) throw new Error("This page has no form to submit");
      form.requestSubmit(next?.form && next.type === "submit" ? next : undefined);
    },
  };
};
