// Keys pressed before a page can act on them: held, and acted on in their order as soon as it can.
// Loaded before all else, so that none is pressed before this file listens.
//
// Never held is what a browser does by itself: typing into a field, Tab, Enter and Space on links,
// buttons and boxes, its own shortcuts, and whatever is pressed in a dialog. Nothing of that is
// prevented.
//
// A page that is being left acts on keys as long as it is seen, for they were pressed at what it
// shows. Two kinds of keys belong to the next page instead, and are carried there: those that follow
// a step through records ("1", then "j", then "2" for the record after), and the words after "/".
// No other page acts on them: a label's key is not meant for a text that nobody has seen. It says so.
(() => {
  const STORED = "likewise-keys";
  const MOST_MS = 60_000;
  const WRITABLE = "textarea, input[type=search], input[type=text], input:not([type])";
  const FIELD = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])";
  const CONTROL = "a, button, summary, input";
  // With these, Firefox opens a search of its own that would take every key that follows.
  const QUICK_FIND = new Set(["/", "'"]);

  // Which page this is, by its commands; none where it has none.
  const { commands } = document.currentScript.dataset;
  const held = [];
  let isHolding = commands !== "";
  let nWaiting = 0;
  let next = null; // the commands of the page that comes, while this one is being left

  // --- what is held ------------------------------------------------------------------------------

  const isPress = (key) => key === "Enter" || key === " ";
  const isShortcut = ({ key, altKey, ctrlKey, metaKey }) =>
    altKey || ((ctrlKey || metaKey) && !["z", "y"].includes(key.toLowerCase()));

  const isForBrowser = (event) => {
    if (event.isComposing || event.keyCode === 229 || event.key === "Tab" || isShortcut(event)) return true;
    const isAt = (selector) => Boolean(event.target.closest?.(selector));
    return isAt(FIELD) || isAt("dialog") || (isPress(event.key) && isAt(CONTROL));
  };

  const hold = (event) => {
    if (!isHolding || isForBrowser(event)) return;
    event.stopImmediatePropagation();
    if (QUICK_FIND.has(event.key)) event.preventDefault();
    if (next !== null && event.key === "Escape") return stay();
    const { key, code, repeat, shiftKey, ctrlKey, metaKey, target } = event;
    held.push({ key, code, repeat, shiftKey, ctrlKey, metaKey, target });
    if (next !== null) store();
  };

  // --- what becomes of them ----------------------------------------------------------------------

  const write = (field, key) => {
    if (key === "Enter" && field.matches("input")) return field.form?.requestSubmit();
    const { selectionStart: start, selectionEnd: end } = field;
    const text = key === "Enter" ? "\n" : key;
    if (key === "Backspace") field.setRangeText("", start === end ? Math.max(start - 1, 0) : start, end, "end");
    else if ([...text].length === 1) field.setRangeText(text, start, end, "end");
    else return;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // What a browser does with a key that no listener took: for an event made here it does nothing.
  const perform = ({ key, ctrlKey, metaKey }, place) => {
    const dialog = document.querySelector("dialog[open]");
    if (ctrlKey || metaKey) return;
    if (key === "Escape") {
      if (dialog?.dispatchEvent(new Event("cancel", { cancelable: true }))) dialog.close();
    } else if (place.matches(WRITABLE)) write(place, key);
    else if (isPress(key) && place.matches(CONTROL)) place.click();
  };

  // In their order. As soon as one of them moves the focus, to a row, a field or a
  // dialog, those after it are for that place; before, a browser has done its own part already.
  const act = () => {
    isHolding = false;
    const mine = document.activeElement;
    let hasMoved = false;
    while (held.length > 0 && !isHolding) {
      const { target, ...key } = held.shift();
      const before = document.activeElement;
      const place = hasMoved || !target?.isConnected ? before : target;
      const isLeft = place.dispatchEvent(new KeyboardEvent("keydown", { ...key, bubbles: true, cancelable: true }));
      if (isLeft && (hasMoved || !target)) perform(key, place);
      hasMoved ||= document.activeElement !== before;
    }
    // Who writes in a field by now went there after those keys, and goes on writing.
    if (mine?.matches(FIELD)) mine.focus();
  };

  // The page can act on keys now: at once, or when htmx, too, has begun.
  let isParsed = false;
  document.addEventListener("DOMContentLoaded", () => (isParsed = true));
  const release = () => {
    if (isParsed) act();
    else document.addEventListener("DOMContentLoaded", act);
  };

  // What is pressed while this work is done waits for it.
  const during = async (work) => {
    nWaiting += 1;
    isHolding = true;
    try {
      await work;
    } finally {
      nWaiting -= 1;
      if (nWaiting === 0 && next === null) release();
    }
  };

  // --- from page to page -------------------------------------------------------------------------

  const forget = () => {
    try {
      sessionStorage.removeItem(STORED);
    } catch {
      // Storage may be forbidden; then nothing was stored.
    }
  };

  const store = () => {
    const keys = held.map(({ target, ...key }) => key);
    try {
      sessionStorage.setItem(STORED, JSON.stringify({ next, at: Date.now(), keys }));
    } catch {
      // As above: the next page begins without them.
    }
  };

  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(STORED));
    } catch {
      return null;
    }
  };

  const reportLostKeys = () => window.likewise.showNotice("Keys pressed before this page had loaded were ignored. Press them again.", "info");

  // This page is left for one with these commands ("": for one that must be seen first).
  const carry = (to, ...keys) => {
    next = to;
    isHolding = true;
    held.unshift(...keys.map((key) => ({ key })));
    store();
  };

  // Or it was not left after all: loading was stopped, or one came back, or goes on by pointer.
  const stay = () => {
    if (next === null) return;
    if (held.length > 0) reportLostKeys();
    next = null;
    isHolding = false;
    held.length = 0;
    forget();
  };

  const carried = read();
  forget();
  const isForThis = carried?.next === commands && commands !== "" && Date.now() - carried.at < MOST_MS;
  if (isForThis) held.push(...carried.keys);
  else if (carried?.keys.length > 0) document.addEventListener("DOMContentLoaded", reportLostKeys);

  window.addEventListener("keydown", hold, true);
  window.addEventListener("pointerdown", stay, true);
  window.addEventListener("pageshow", (event) => event.persisted && stay());

  window.likewise = { heldKeys: { release, during, carry, stay } };
})();
