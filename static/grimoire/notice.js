/** Boxes at the foot of the page, for what the participant must know. */

/** @type {() => Notice} */
export const makeNotice = () => {
  /** @type {HTMLElement | undefined} */
  let region;
  /** @type {Record<string, HTMLElement>} */
  const boxes = {};

  /** @type {(where: HTMLElement, tag: string, className: string, textContent: string) => HTMLElement} */
  const add = (where, tag, className, textContent) => {
    const element = Object.assign(document.createElement(tag), { className, textContent });
    where.append(element);
    return element;
  };
  const hide = (/** @type {string} */ key) => {
    boxes[key]?.remove();
    return key in boxes && delete boxes[key];
  };

  return {
    show(key, text, { warning, label, press } = {}) {
      hide(key);
      region ??= add(document.body, "div", "grimoire-notices", "");
      region.setAttribute("role", "status"); // what is added is read out
      const box = (boxes[key] = add(region, "div", "grimoire-notice" + (warning ? " is-warning" : ""), ""));
      add(box, "p", "", text);
      if (!label) return;
      add(box, "button", "btn btn-sm btn-outline-secondary", label).onclick = () => {
        hide(key);
        press?.();
      };
    },
    hide,
  };
};
