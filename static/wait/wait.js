/** On wait pages: shows what the server says of who is here. That the page goes on is the client's, as everywhere. */

window.grimoire.on("!waiting", (/** @type {Record<string, string>} */ texts) => {
  for (const [name, text] of Object.entries(texts))
    for (const element of document.querySelectorAll(`[data-grimoire-waiting="${name}"]`))
      if (element.textContent !== text) element.textContent = text; // else screen readers would say it again
});
