/* What data-bs-* attributes ask for, where that is simple: tabs, parts that fold, dialogs, closing an alert. */
{
  /** @type {(element: Element, name: string) => boolean} */
  const tell = (element, name) => element.dispatchEvent(new Event(name, { bubbles: true }));

  /** The elements that a control is for. @type {(control: Element) => HTMLElement[]} */
  const targets = (control) => {
    const selector = control.getAttribute("data-bs-target") || control.getAttribute("href") || "";
    return selector.length > 1 && selector !== "#" ? [...document.querySelectorAll(selector)].filter(isHtml) : [];
  };
  /** @type {(element: Element) => element is HTMLElement} */
  const isHtml = (element) => element instanceof HTMLElement;

  /** @type {(control: Element) => Element[]} */
  const tabs = (control) => [...(control.closest(".nav, [role=tablist]") ?? document).querySelectorAll(TAB)];
  const TAB = '[data-bs-toggle="tab"], [data-bs-toggle="pill"]';

  /** @type {(chosen: Element) => void} */
  const open = (chosen) => {
    for (const tab of tabs(chosen)) {
      tab.classList.toggle("active", tab === chosen);
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.setAttribute("tabindex", tab === chosen ? "0" : "-1");
      for (const pane of targets(tab)) {
        pane.classList.toggle("active", tab === chosen);
        pane.classList.toggle("show", tab === chosen);
      }
    }
    tell(chosen, "shown.bs.tab");
  };

  /** @type {(part: HTMLElement, shown: boolean) => void} */
  const fold = (part, shown) => {
    part.classList.toggle("show", shown);
    for (const control of document.querySelectorAll('[data-bs-toggle="collapse"]'))
      if (targets(control).includes(part)) {
        control.setAttribute("aria-expanded", String(shown));
        control.classList.toggle("collapsed", !shown);
      }
    tell(part, shown ? "shown.bs.collapse" : "hidden.bs.collapse");
  };

  /** @type {(part: HTMLElement) => void} */
  const toggle = (part) => {
    const shown = !part.classList.contains("show");
    const parent = part.getAttribute("data-bs-parent");
    if (shown && parent)
      for (const other of document.querySelectorAll(`${parent} .collapse.show`))
        if (isHtml(other) && other !== part) fold(other, false);
    fold(part, shown);
  };

  /** A modal in a dialog of its own, in its place, so that its inputs stay part of the form. */
  const Modal = class {
    /** @param {HTMLElement} element */
    constructor(element) {
      this.element = element;
      /** @type {HTMLDialogElement} */
      this.dialog = element.closest("dialog.grimoire-modal") ?? document.createElement("dialog");
    }
    /** @param {HTMLElement | string} element */
    static getOrCreateInstance(element) {
      const found = typeof element === "string" ? document.querySelector(element) : element;
      if (!(found instanceof HTMLElement)) throw new Error("There is no such modal: " + element);
      return new Modal(found);
    }
    show() {
      const { dialog, element } = this;
      if (dialog.open) return;
      if (!dialog.isConnected) {
        dialog.className = "grimoire-modal";
        const title = element.getAttribute("aria-labelledby");
        if (title) dialog.setAttribute("aria-labelledby", title);
        else dialog.setAttribute("aria-label", element.querySelector(".modal-title")?.textContent?.trim() || document.title);
        for (const name of ["aria-hidden", "aria-labelledby", "role", "aria-modal"]) element.removeAttribute(name);
        element.replaceWith(dialog);
        dialog.append(element);
        dialog.onclose = () => {
          element.classList.remove("show");
          tell(element, "hidden.bs.modal");
        };
        // Outside of the box itself: that closes it, unless the author has said that it is to stay.
        dialog.onclick = ({ target }) => {
          if (target === element && element.dataset.bsBackdrop !== "static") dialog.close();
        };
      }
      element.classList.add("show");
      dialog.showModal();
      tell(element, "shown.bs.modal");
    }
    hide() {
      this.dialog.close();
    }
    toggle() {
      if (this.dialog.open) this.hide();
      else this.show();
    }
  };

  document.addEventListener("click", (event) => {
    const control = event.target instanceof Element ? event.target.closest("[data-bs-toggle], [data-bs-dismiss]") : null;
    if (!control) return;
    const toggles = control.getAttribute("data-bs-toggle");
    const dismisses = control.getAttribute("data-bs-dismiss");
    if (control.matches("a")) event.preventDefault();
    if (dismisses === "alert") control.closest(".alert")?.remove();
    if (dismisses === "modal") control.closest("dialog")?.close();
    if (toggles === "tab" || toggles === "pill") open(control);
    if (toggles === "collapse") targets(control).forEach(toggle);
    if (toggles === "modal") for (const one of targets(control)) new Modal(one).toggle();
  });

  document.addEventListener("keydown", (event) => {
    const control = event.target instanceof Element ? event.target.closest(TAB) : null;
    const forward = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!control || !forward) return;
    event.preventDefault();
    const all = tabs(control);
    const step = getComputedStyle(control).direction === "rtl" && event.key.match("Left|Right") ? -forward : forward;
    const next = all[(all.indexOf(control) + step + all.length) % all.length];
    open(next);
    if (isHtml(next)) next.focus();
  });

  document.addEventListener("DOMContentLoaded", () => {
    for (const tab of document.querySelectorAll(TAB)) {
      tab.setAttribute("role", "tab");
      tab.closest(".nav")?.setAttribute("role", "tablist");
      tab.closest("li")?.setAttribute("role", "presentation");
      const chosen = tab.classList.contains("active");
      tab.setAttribute("aria-selected", String(chosen));
      tab.setAttribute("tabindex", chosen ? "0" : "-1");
      for (const pane of targets(tab)) {
        pane.setAttribute("role", "tabpanel");
        if (pane.id) tab.setAttribute("aria-controls", pane.id);
      }
    }
    for (const control of document.querySelectorAll('[data-bs-toggle="collapse"]'))
      control.setAttribute("aria-expanded", String(targets(control).some((part) => part.classList.contains("show"))));
  });

  Object.assign(window, { bootstrap: { Modal } });
}
