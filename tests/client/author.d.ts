// What the scripts inside an author's page find: the client's globals, and their own page's elements.

declare const grimoire: Grimoire;
declare const uproot: Grimoire;
declare function I(id: string): any;
declare function _(text: string): string;

// A page knows what its own elements are; annotating that would make every example longer.
interface Document {
  getElementById(id: string): any;
}
interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): any[];
}

/** How a slider's number is written: `window.priceFormatter = (value) => …` for the field `price`. */
interface Window {
  [formatter: `${string}Formatter`]: (value: number) => string;
}
