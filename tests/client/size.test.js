/** Everything that a participant's page loads of our JavaScript stays small: evidence 48. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const packed = (folder, ending) =>
  readdirSync(new URL(folder, import.meta.url))
    .filter((name) => name.endsWith(ending))
    .map((name) => gzipSync(readFileSync(new URL(folder + name, import.meta.url)), { level: 9 }).length)
    .reduce((sum, size) => sum + size, 0);

test("evidence 48: the client takes at most 12 kB, each file gzipped by itself", () => {
  const size = packed("../../static/grimoire/", ".js");
  assert.ok(size <= 12_000, `${size} bytes`);
});

test("evidence 48: the stylesheet takes at most 12 kB, gzipped", () => {
  const size = packed("../../static/style/", ".css");
  assert.ok(size <= 12_000, `${size} bytes`);
});

test("evidence 48: what pages with fields load beside it takes at most 1.5 kB, gzipped", () => {
  const size = packed("../../static/forms/", ".js");
  assert.ok(size <= 1_500, `${size} bytes`);
});

test("evidence 48: what pages with a time limit load beside it takes at most 1.6 kB, gzipped", () => {
  const size = packed("../../static/countdown/", ".js");
  assert.ok(size <= 1_600, `${size} bytes`);
});

test("evidence 48: what pages in uproot's style load beside it takes at most 4 kB, gzipped", () => {
  const size = packed("../../static/uproot/", ".js");
  assert.ok(size <= 4_000, `${size} bytes`);
});

test("evidence 48: what notes the time on a page takes at most 0.4 kB, gzipped", () => {
  const size = packed("../../static/times/", ".js");
  assert.ok(size <= 400, `${size} bytes`);
});
