/** Next: pending calls first, one submission however often it is pressed, never a dead button. The browser posts. */

const CALLS_LIMIT = 10_000;
const SOCKET_LIMIT = 3_000;
const PROBE_LIMIT = 5_000;
const PAGE_LIMIT = 30_000; // then the button can be pressed again

/** @type {(form: Element | Document, name: string) => HTMLInputElement | null} */
const hidden = (form, name) => form.querySelector(`input[type=hidden][name="${name}"]`);

/** @type {(form: HTMLFormElement, name: string, value: string) => void} */
const put = (form, name, value) => {
  const input = hidden(form, name) ?? document.createElement("input");
  Object.assign(input, { type: "hidden", name, value });
  form.append(input);
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

  const release = () => {
    clearTimeout(timer);
    button?.removeAttribute("aria-busy");
    form = button = undefined;
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
    pressed?.remove(); // of a submission that came to nothing: Back must not be pressed along with Next
    pressed = undefined;
    const name = submitter?.getAttribute("name");
    if (name) {
      pressed = document.createElement("input");
      Object.assign(pressed, { type: "hidden", name, value: submitter?.getAttribute("value") ?? "" });
      chosen.append(pressed);
    }

    way.leaving(PAGE_LIMIT);
    timer = setTimeout(release, PAGE_LIMIT);
    HTMLFormElement.prototype.submit.call(chosen); // an input may be called "submit"
  };

  // On window: after every handler of the author, one of which may have refused.
  addEventListener("submit", (event) => {
    const chosen = event.target;
    if (event.defaultPrevented || !(chosen instanceof HTMLFormElement) || !hidden(chosen, "_submission")) return;
    event.preventDefault();
    submit(chosen, event.submitter);
  });

  return {
    release,
    press() {
      const next = nextButton();
      const form = next?.form ?? hidden(document, "_submission")?.form;
      if (!form) throw new Error("This page has no form to submit");
      form.requestSubmit(next?.form && next.type === "submit" ? next : undefined);
    },
  };
};
