/* Names of uproot's that few pages use. A page loads this where it mentions one. Never talks to the server. */
{
  const { grimoire } = window;
  const { page, texts } = grimoire.early;
  const language = document.documentElement.lang || "en";

  /** A dialog over the page, until it is closed. @type {(html: string, className: string) => void} */
  const show = (html, className) => {
    const dialog = document.createElement("dialog");
    dialog.className = "grimoire-dialog " + className;
    dialog.setAttribute("aria-label", document.title);
    const content = document.createElement("div");
    content.innerHTML = html; // the author vouches for it
    const close = document.createElement("button");
    Object.assign(close, { type: "button", className: "btn btn-primary", textContent: texts.close || "Close" });
    close.onclick = () => dialog.close();
    dialog.onclose = () => dialog.remove();
    dialog.append(content, close);
    document.body.append(dialog);
    dialog.showModal();
  };

  /** @type {(values: number[]) => number} */
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  /** @type {(values: number[]) => number} */
  const mean = (values) => sum(values) / values.length;

  /** @type {(value: number, pre?: string, post?: string, places?: number) => string} */
  const fmtnum = (value, pre = "", post = "", places = 2) => {
    const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
    const size = new Intl.NumberFormat(language, { ...digits, numberingSystem: "latn" }).format(Math.abs(value));
    return (value < 0 ? "\u2212" : "") + pre + size + post;
  };

  Object.assign(grimoire, {
    currentPage: /** @type {any} */ (page).page,
    sum,
    mean,
    /** Of a sample: divided by n - 1. @type {(values: number[]) => number} */
    sd: (values) => Math.sqrt(sum(values.map((value) => (value - mean(values)) ** 2)) / (values.length - 1)),
    fmtnum,
    /** As a function of the page named priceFormatter says. @type {(name: string, value: number) => string} */
    formatForInterface: (name, value) => {
      const format = /** @type {Record<string, any>} */ (/** @type {unknown} */ (window))[name + "Formatter"];
      return typeof format === "function" ? String(format(value)) : String(value);
    },
    /** The value that was chosen, or null. @type {(name: string) => string | null} */
    selectedValue: (name) => {
      const inputs = /** @type {HTMLInputElement[]} */ (
        [...document.querySelectorAll("input, select")].filter((one) => one.getAttribute("name") === name)
      );
      const chosen = inputs.find((one) => (one.type === "radio" ? one.checked : one.matches("select")));
      return chosen?.value ?? null;
    },
    /** As if Back was pressed. */
    goBack: () => {
      const form = /** @type {HTMLFormElement | null} */ (document.getElementById("grimoire-form"));
      if (!form) throw new Error("This page has no form, and so no way back");
      const button = Object.assign(document.createElement("button"), { type: "submit", name: "_back", value: "1" });
      Object.assign(button, { hidden: true, formNoValidate: true });
      form.append(button);
      form.requestSubmit(button);
      button.remove();
    },
    /** @type {(html: string) => void} */
    alert: (html) => show(html, ""),
    /** @type {(html: string) => void} */
    error: (html) => show(html, "is-error"),
    /** @type {(text: string) => string} */
    escape: (text) => Object.assign(document.createElement("span"), { textContent: text }).innerHTML,
    /** As soon as the page has been read, or at once. @type {(handler: () => void) => void} */
    onStart: (handler) =>
      document.readyState === "loading" ? addEventListener("DOMContentLoaded", handler) : handler(),
    /** @type {(name: string, handler: EventListener) => void} */
    onInternalEvent: (name, handler) => addEventListener("UprootInternal" + name, handler),
    /** @type {(name: string) => string | null} */
    getParam: (name) => new URLSearchParams(location.search).get(name),
    reload: () => location.replace(location.href.split("#")[0]),
  });
  const { deadline } = /** @type {any} */ (page);
  const tell = (/** @type {string} */ what) => dispatchEvent(new CustomEvent("UprootInternalPageTimeout" + what));
  addEventListener("DOMContentLoaded", () => {
    if (!deadline) return;
    tell("Set");
    const timer = setInterval(() => {
      tell("");
      if (grimoire.clock() >= deadline) clearInterval(timer);
    }, 1000);
  });

  if (grimoire.vars.C) Object.assign(window, { C: grimoire.vars.C });
}
