// The keys of the labeling page: which command a key gives, whose key it is, and when it is left alone.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createKeyHandler } from "../../static/js/labeling/key_handler.js";
import { createKeys } from "../../static/js/labeling/keys.js";
import { createLabelKeys } from "../../static/js/labeling/label_keys.js";

// Three labels: the digits 1 to 3, and the letters that the user chose.
const LABELS = [{ id: 11, name: "billing", n: 1 }, { id: 12, name: "delivery", n: 9 }, { id: 13, name: "other", n: 4 }];

const legend = (letters) => ({
  "#legend [data-key]": LABELS.map(({ id }, i) => ({ dataset: { key: String(i + 1), label: String(id) } })),
  "#legend [data-letter]": Object.entries(letters).map(([letter, label]) => ({ dataset: { letter, label: String(label) } })),
});
const fakeRoot = (letters) => ({
  dataset: { projectId: "5" },
  querySelector: () => ({ dataset: { labels: JSON.stringify(LABELS) } }),
  querySelectorAll: (selector) => legend(letters)[selector],
});

const setUp = (own = {}, letters = {}) => {
  const labelKeys = createLabelKeys(fakeRoot(letters));
  return { labelKeys, keys: createKeys(own, labelKeys) };
};

const NO_FOCUS = { matches: () => false, closest: () => null };
// An element that is, or lies within, what these selectors name.
const focused = (...names) => {
  const has = (selector) => names.some((name) => selector.split(", ").includes(name));
  return { matches: has, closest: (selector) => (has(selector) ? {} : null) };
};
const press = (key, more = {}) => ({
  key, code: "", target: NO_FOCUS, isPrevented: false,
  preventDefault() { this.isPrevented = true; },
  ...more,
});

const STANDARD = {
  Enter: "accept", a: "accept", A: "accept_page", n: "none", " ": "skip", x: "not_similar", z: "undo", Z: "redo",
  j: "next", ArrowDown: "next", ArrowRight: "next", k: "previous", ArrowUp: "previous", ArrowLeft: "previous",
  Home: "first", End: "last", v: "select", i: "invert", t: "threshold", l: "palette", s: "similar", f: "flag",
  c: "comment", e: "whole", o: "fields", d: "differences", g: "map", "/": "search", "?": "help", Escape: "clear",
};

for (const [key, command] of Object.entries(STANDARD)) {
  test(`${key === " " ? "Space" : key} gives ${command}`, () => {
    const shiftKey = /^[A-Z]$/.test(key);
    assert.deepEqual(setUp().keys.commandFor(press(key, { shiftKey })), { command });
  });
}

test("a digit gives the label in its place, also on keyboards whose digits need Shift", () => {
  const { keys } = setUp();

  assert.deepEqual(keys.commandFor(press("2")), { command: "label", labelId: 12 });
  assert.deepEqual(keys.commandFor(press("é", { code: "Digit2" })), { command: "label", labelId: 12 });
  assert.deepEqual(keys.commandFor(press("4")), { command: null });
  assert.deepEqual(keys.commandFor(press('"', { code: "Digit2", shiftKey: true })), { command: null });
});

test("Caps Lock does not turn accept into accepting a page", () => {
  const { keys } = setUp();

  assert.deepEqual(keys.commandFor(press("A", { shiftKey: false })), { command: "accept" });
  assert.deepEqual(keys.commandFor(press("a", { shiftKey: true })), { command: "accept_page" });
});

test("with Control or Command only undo and redo are ours, with Alt nothing is", () => {
  const { keys } = setUp();
  const withKeys = (key, more) => keys.commandFor(press(key, more)).command;

  assert.equal(withKeys("z", { ctrlKey: true }), "undo");
  assert.equal(withKeys("Z", { metaKey: true, shiftKey: true }), "redo");
  assert.equal(withKeys("y", { ctrlKey: true }), "redo");
  assert.equal(withKeys("a", { ctrlKey: true }), null);
  assert.equal(withKeys("1", { metaKey: true }), null);
  assert.equal(withKeys("z", { ctrlKey: true, altKey: true }), null);
  assert.equal(withKeys("n", { altKey: true }), null);
});

test("a key that the user chose replaces the command's own, and is taken from any other", () => {
  const { keys } = setUp({ none: "q", flag: "n" });

  assert.deepEqual(keys.commandFor(press("q")), { command: "none" });
  assert.deepEqual(keys.commandFor(press("n")), { command: "flag" });
  assert.deepEqual(keys.commandFor(press("f")), { command: null });
  assert.deepEqual(keys.keysOf("none"), ["q"]);
});

test("a letter that the user gave a label goes before a command's key", () => {
  const { keys } = setUp({ flag: "w" }, { w: 13, b: 11, n: 12 });

  assert.deepEqual(keys.commandFor(press("b")), { command: "label", labelId: 11 });
  assert.deepEqual(keys.commandFor(press("n")), { command: "label", labelId: 12 });
  assert.deepEqual(keys.commandFor(press("w")), { command: "label", labelId: 13 });
  assert.deepEqual(keys.keysOf("none"), []);
  assert.deepEqual(keys.keysOf("flag"), []);
});

test("a key that something else has, or that is reserved, is refused with the reason", () => {
  const { keys } = setUp({}, { b: 11 });

  assert.match(keys.trouble("none", "Escape"), /is reserved/);
  assert.match(keys.trouble("none", "1"), /is reserved/);
  assert.match(keys.trouble("none", "f"), /already used for: Flag/);
  assert.match(keys.trouble("none", "b"), /is already used.*billing/);
  assert.equal(keys.trouble("none", "q"), null);
  assert.match(keys.labelTrouble(12, "f"), /already used for: Flag/);
  assert.match(keys.labelTrouble(12, "b"), /is already used.*billing/);
  assert.match(keys.labelTrouble(12, "Enter"), /digit, a letter/);
  assert.equal(keys.labelTrouble(11, "b"), null);
  assert.equal(keys.labelTrouble(12, "3"), null);
});

test("labels change places when one gets the other's digit; a letter moves and is taken away", () => {
  const { keys, labelKeys } = setUp({}, { b: 11 });

  labelKeys.give(13, "1");
  labelKeys.give(12, "b");
  assert.deepEqual(keys.commandFor(press("1")), { command: "label", labelId: 13 });
  assert.deepEqual(keys.commandFor(press("3")), { command: "label", labelId: 11 });
  assert.deepEqual(labelKeys.choices.letters_5, { 12: "b" });

  labelKeys.take(12);
  assert.deepEqual(keys.commandFor(press("b")), { command: null });
  labelKeys.mostUsed();
  assert.deepEqual(labelKeys.choices.digits_5.slice(0, 4), [12, 13, 11, null]);
});

const handle = (event, isDialogOpen = false) => {
  const runs = [];
  const { keys } = setUp();
  createKeyHandler({ keys, dialogs: { isOpen: isDialogOpen }, run: (...what) => runs.push(what) })(event);
  assert.equal(event.isPrevented, runs.length > 0);
  return runs;
};

test("a key runs its command, and the browser does nothing else with it", () => {
  assert.deepEqual(handle(press("/")), [["search", undefined]]);
  assert.deepEqual(handle(press("1")), [["label", 11]]);
  assert.deepEqual(handle(press("q")), []);
});

test("a key held down moves on, and does nothing else again", () => {
  assert.deepEqual(handle(press("j", { repeat: true })), [["next", undefined]]);
  assert.deepEqual(handle(press("1", { repeat: true })), []);
  assert.deepEqual(handle(press("Enter", { repeat: true })), []);
});

test("in a dialog, in a field and while an input method composes, no key is a command", () => {
  assert.deepEqual(handle(press("1"), true), []);
  assert.deepEqual(handle(press("Escape"), true), []);
  for (const field of ["input", "textarea", "select", "[contenteditable]"]) {
    assert.deepEqual(handle(press("n", { target: focused(field) })), [], field);
  }
  assert.deepEqual(handle(press("n", { isComposing: true })), []);
  assert.deepEqual(handle(press("n", { keyCode: 229 })), []);
});

test("a focused button or link keeps Enter and Space, and gives all other keys to the page", () => {
  for (const control of ["button", "a", "summary"]) {
    assert.deepEqual(handle(press("Enter", { target: focused(control) })), []);
    assert.deepEqual(handle(press(" ", { target: focused(control) })), []);
    assert.deepEqual(handle(press("n", { target: focused(control) })), [["none", undefined]]);
  }
});

test("a slider and a long text keep the keys that move them", () => {
  for (const place of ["input[type=range]", ".whole-text"]) {
    assert.deepEqual(handle(press("ArrowDown", { target: focused(place) })), []);
    assert.deepEqual(handle(press("n", { target: focused(place) })), [["none", undefined]]);
  }
});
