// Which key gives which label: a digit by its place, and a letter that the user chose for it.
import { showNotice } from "../notice.js";

const DIGITS = [..."1234567890"];

export const createLabelKeys = (root) => {
  const { projectId } = root.dataset;
  const find = (selector) => root.querySelector(selector);
  const held = (name) => {
    const buttons = [...root.querySelectorAll(`#legend [data-${name}]`)];
    return new Map(buttons.map((each) => [each.dataset[name], Number(each.dataset.label)]));
  };
  let labels = [];
  let digits = new Map();
  let letters = new Map();
  let hasChanged = false;
  let newest = 0;
  let onShown = () => {};

  const change = () => {
    hasChanged = true;
    newest += 1; // What is on its way from the server does not know of it.
  };

  const read = () => {
    labels = JSON.parse(find("#palette").dataset.labels);
    digits = held("key");
    letters = held("letter");
    hasChanged = false;
  };
  read();

  const show = (page) => {
    for (const part of ["#legend", "#chips"]) find(part).replaceWith(document.importNode(page.querySelector(part), true));
    find("#palette").dataset.labels = page.querySelector("#palette").dataset.labels;
    read();
    for (const part of [".all-labels", "[data-most-used]"]) find(part).hidden = labels.length <= DIGITS.length;
    find(".all-labels span").textContent = `All ${labels.length} labels`;
    onShown();
  };

  // The labels and their keys as the server has them now. The page stays, and so does whatever is
  // pressed meanwhile; the newest wish counts.
  const renew = async () => {
    const wish = (newest += 1);
    const response = await fetch(location.href).catch(() => null);
    const text = response?.ok ? await response.text().catch(() => null) : null;
    if (wish !== newest) return;
    if (text === null) showNotice("The labels could not be refreshed: the server cannot be reached. Reload the page.", "bad");
    else show(new DOMParser().parseFromString(text, "text/html"));
  };

  const keyIn = (keys, id) => [...keys].find(([, label]) => label === id)?.[0] ?? "";
  const nameOf = (id) => labels.find((each) => each.id === id)?.name ?? "";

  // The two labels change places.
  const giveDigit = (id, digit) => {
    const before = keyIn(digits, id);
    const other = digits.get(digit);
    if (before) digits.delete(before);
    if (before && other) digits.set(before, other);
    digits.set(digit, id);
  };

  const takeLetter = (id) => letters.delete(keyIn(letters, id));

  return {
    get labels() { return labels; },
    renew,
    onShown: (listener) => (onShown = listener),
    ofDigit: (digit) => digits.get(digit) ?? null,
    ofLetter: (letter) => letters.get(letter) ?? null,
    keysOf: (id) => [keyIn(letters, id), keyIn(digits, id)].filter(Boolean),
    // Why no label can have this letter, as far as labels know; or null.
    trouble(id, key) {
      const other = letters.get(key);
      return other && other !== id ? `It applies the label “${nameOf(other)}”.` : null;
    },
    give(id, key) {
      change();
      if (DIGITS.includes(key)) giveDigit(id, key);
      else {
        takeLetter(id);
        letters.set(key, id);
      }
    },
    take(id) {
      if (takeLetter(id)) change();
    },
    mostUsed() {
      change();
      digits.clear();
      const used = [...labels].sort((a, b) => b.n - a.n);
      used.slice(0, DIGITS.length).forEach((each, place) => digits.set(DIGITS[place], each.id));
    },
    // What is to be kept with the user; no digits: those that labels have by their place.
    get choices() {
      return {
        [`digits_${projectId}`]: digits.size > 0 ? DIGITS.map((digit) => digits.get(digit) ?? null) : null,
        [`letters_${projectId}`]: Object.fromEntries([...letters].map(([key, id]) => [id, key])),
      };
    },
    // The same of somebody who chose nothing.
    usual: { [`digits_${projectId}`]: null, [`letters_${projectId}`]: {} },
    // Draws the buttons anew, with their keys.
    redraw() {
      if (hasChanged) renew();
    },
  };
};
