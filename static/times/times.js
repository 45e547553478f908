/** Puts into what is posted when it was: the server judges it. Milliseconds; the page was first seen at `seen`. */

addEventListener(
  "submit",
  ({ target }) => {
    if (!(target instanceof HTMLFormElement)) return;
    const input = target.elements.namedItem("_times");
    const seen = performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
    const times = [window.grimoire.clock() * 1000, performance.now(), seen, Date.now()];
    if (input instanceof HTMLInputElement) input.value = times.join();
  },
  true,
);
