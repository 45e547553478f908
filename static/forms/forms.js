/** On pages with fields: which of them were touched, what sliders stand at, where the errors are. Never talks. */

/** @type {(input: HTMLInputElement) => string} */
const worded = ({ name, value }) => {
  // An author may say how the value is written: `const priceFormatter = (value) => ...` as a property of window.
  const format = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (window))[name + "Formatter"];
  return typeof format === "function" ? String(format(Number(value))) : value;
};

/** @type {(input: HTMLInputElement) => void} */
const tell = (input) => {
  const output = input.parentElement?.querySelector("output");
  if (!output || !input.name) return;
  output.value = worded(input);
  output.style.setProperty("--at", String((+input.value - +input.min) / (+input.max - +input.min || 1)));
};

/** @type {(event: Event) => void} */
const touch = ({ target }) => {
  const input = /** @type {HTMLInputElement} */ (target);
  const unset = input.dataset?.name;
  if (unset) {
    // A slider without a value: from now on it has one.
    input.name = unset;
    input.removeAttribute("data-name");
    input.removeAttribute("aria-valuetext");
  }
  /** What the server has put into the form, with the names of an earlier submission. @type {HTMLInputElement | null} */
  const list = input.form?.querySelector('input[name="_touched"]') ?? null;
  if (list && input.name) list.value = [...new Set(list.value.split(",")).add(input.name)].filter(Boolean).join();
};

/** @type {(target: EventTarget | null) => target is HTMLInputElement} */
const isSlider = (target) => target instanceof HTMLInputElement && target.type === "range";

for (const name of ["input", "change"])
  addEventListener(name, (event) => {
    touch(event);
    if (isSlider(event.target)) tell(event.target);
  });
// A slider that stays where it is was touched all the same.
for (const name of ["click", "keydown"])
  addEventListener(name, (event) => {
    const key = event instanceof KeyboardEvent && !["Enter", " "].includes(event.key);
    if (!isSlider(event.target) || key) return;
    touch(event);
    tell(event.target);
  });

// The server refuses it too, but not before it has come.
addEventListener("change", ({ target }) => {
  if (!(target instanceof HTMLInputElement) || !target.files) return;
  const { most, tooLarge = "" } = target.dataset;
  target.setCustomValidity([...target.files].some(({ size }) => size > Number(most)) ? tooLarge : "");
});

for (const slider of document.querySelectorAll("input[type=range]")) if (isSlider(slider)) tell(slider);
/** @type {HTMLElement | null} */ (document.querySelector(".grimoire-errors"))?.focus();
