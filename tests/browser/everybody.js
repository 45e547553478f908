/** Looks at a page for everybody.py, which says what it is for. Texts of problems; never changes the page for long. */

(() => {
  const named = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 100);
  const overflows = (element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1;
  const scrolls = (element) =>
    element && (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
  const UNSEEN = ".visually-hidden, .grimoire-skip, [hidden], option, script, style, iframe";

  /** What is cut off or out of the window. Tables and code scroll inside their own boxes. */
  const lost = () => {
    const problems = [];
    const { scrollWidth: wide, clientWidth: room } = document.documentElement;
    const beyond = ({ left, right }) => left < -1 || right > room + 1;
    const all = [...document.body.querySelectorAll("*")].filter((one) => !one.closest(UNSEEN) && one.checkVisibility());
    for (const element of all) {
      const { clipPath, overflowX } = getComputedStyle(element);
      if (clipPath === "inset(50%)") continue; // for screen readers only
      const speaks = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      if (!/visible|auto|scroll/.test(overflowX) && element.textContent.trim() && overflows(element))
        problems.push(`cut off: ${named(element)}`);
      if (speaks && !scrolls(element) && beyond(element.getBoundingClientRect()))
        problems.push(`out of the window: ${named(element)}`);
      if (element.matches("button, .btn, .button") && overflows(element))
        problems.push(`wider than its button: ${named(element)}`);
    }
    if (wide > room) {
      const spills = (one) => overflows(one) && getComputedStyle(one).overflowX === "visible";
      const widest = all.filter((one) => !scrolls(one) && (spills(one) || beyond(one.getBoundingClientRect())));
      problems.push(`${wide} px wide in a window of ${room} px: ${widest.slice(-2).map(named).join(" ")}`);
    }
    return problems;
  };

  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, iframe, summary, [tabindex]";
  let places = [];
  let looks = [];
  let pressed = 0;

  /** How it and what stands around it looks: focus shows in one of these. */
  const look = (element) =>
    [element, element.parentElement, element.nextElementSibling, element.closest("label")]
      .filter(Boolean)
      .map((one) => {
        const { outline, boxShadow, backgroundColor, borderColor } = getComputedStyle(one);
        return [outline, boxShadow, backgroundColor, borderColor].join();
      })
      .join(";");

  /** How many places Tab must reach: one of each group of radio buttons. From here on presses come to nothing. */
  const begin = () => {
    const groups = new Set();
    places = [...document.querySelectorAll(CONTROLS)].filter((element) => {
      if (element.disabled || element.tabIndex < 0) return false;
      if (!element.checkVisibility({ visibilityProperty: true })) return false;
      if (element.type !== "radio") return true;
      const group = `input[type=radio][name="${CSS.escape(element.name)}"]`;
      const chosen = document.querySelector(`${group}:checked`) ?? element;
      return chosen === element && !groups.has(element.name) && groups.add(element.name);
    });
    const stop = (event) => {
      if (!event.target.closest("a, button, [type=submit]")) return;
      pressed += 1;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    addEventListener("click", stop, { capture: true });
    document.body.tabIndex = -1; // Tab begins at the top again
    document.body.focus();
    document.body.removeAttribute("tabindex");
    looks = places.map(look);
    return places.length;
  };

  /** What has the focus: its place (-1: it was not expected), its kind, and what is wrong with how that shows. */
  const focused = () => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const alike = (other) => other === element || (element.type === "radio" && other.name === element.name);
    const place = places.findIndex(alike);
    const box = element.getBoundingClientRect();
    const middle = (from, to, most) => Math.min(Math.max((from + to) / 2, 1), most - 1);
    const top = document.elementFromPoint(middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
    const own = [element, element.parentElement, element.labels?.[0]];
    let problem = "";
    if (element.localName === "iframe") problem = ""; // its document shows where the focus is
    else if (look(element) === looks[place]) problem = "nothing shows that it has the focus";
    else if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth)
      problem = "it is out of sight";
    else if (top && !own.some((one) => one?.contains(top)) && !top.contains(element)) problem = "something covers it";
    const kind = element.type === "submit" ? "button" : element.type || element.localName;
    return { place, kind, problem, name: named(element) };
  };

  /** What pressing a key may change. */
  const state = () => (({ checked, value, id }) => [checked, value, id, pressed].join())(document.activeElement);

  /** What moves although less of that was asked for; also while Next is busy. */
  const moving = () => {
    const problems = [];
    const longest = (text) => Math.max(...text.split(",").map((part) => parseFloat(part) * (/\dms/.test(part) ? 1 : 1000)));
    const next = document.getElementById("grimoire-button-next");
    next?.setAttribute("aria-busy", "true");
    for (const element of document.querySelectorAll("*"))
      for (const part of [null, "::before", "::after", "::file-selector-button"]) {
        const style = getComputedStyle(element, part);
        const endless = style.animationIterationCount.includes("infinite") || longest(style.animationDuration) > 10;
        const animated = style.animationName !== "none" && endless;
        if (animated || longest(style.transitionDuration) > 10 || style.scrollBehavior === "smooth")
          problems.push(`moves: ${named(element)} ${part ?? ""}`);
      }
    next?.removeAttribute("aria-busy");
    return problems;
  };

  window.everybody = { lost, begin, focused, state, moving, outer: (place) => named(places[place]) };
})();
