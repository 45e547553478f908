/** What outlives a document in its tab. See contracts.d.ts. */

const MOST_KEPT = 1000;

/** @type {OpenStore} */
export const openStore = (storage, player, document, stay) => {
  const prefix = `grimoire/${player}/`;

  /** Storage may be full, or refused altogether. @type {(work: (storage: any) => any) => any} */
  const attempt = (work) => {
    try {
      return work(storage);
    } catch {}
  };
  const read = (/** @type {string} */ key) => attempt((storage) => JSON.parse(storage.getItem(prefix + key)) ?? undefined);
  /** Without a value, it is gone. @type {(key: string, value?: unknown) => void} */
  const write = (key, value) =>
    attempt((storage) =>
      value === undefined ? storage.removeItem(prefix + key) : storage.setItem(prefix + key, JSON.stringify(value)),
    );

  /** Also in memory, where there is no storage. @type {Set<string>} */
  const kept = new Set();
  const recall = () => {
    // Each time: an iframe may have handled some.
    for (const id of read("kept") ?? []) kept.add(id);
    return [...kept].slice(-MOST_KEPT);
  };

  return {
    document,
    keepCalls: ({ document, since, calls }) =>
      write("calls/" + document, calls.size ? { stay, since, calls: [...calls] } : undefined),
    predecessors() {
      /** @type {string[]} */
      const keys = attempt((storage) => Array.from({ length: storage.length }, (_, index) => storage.key(index))) ?? [];
      return keys
        .filter((key) => key.startsWith(prefix + "calls/"))
        .map((key) => key.slice(prefix.length + 6))
        .map((document) => ({ document, ...read("calls/" + document) }))
        .filter((one) => one.stay === stay || write("calls/" + one.document))
        .map(({ document, since, calls }) => ({ document, since, calls: new Map(calls) }))
        .sort((a, b) => a.since - b.since);
    },

    kept: recall,
    keepHandled(id) {
      recall();
      if (kept.has(id)) return false;
      kept.add(id);
      write("kept", recall());
      return true;
    },

    takeTab() {
      const tab = read("tab");
      write("tab");
      return tab;
    },
    putTab: (tab) => write("tab", tab),
  };
};
