// Which key does what on the labeling page; a user's own choices replace ours one by one.
const OURS = {
  accept: ["Enter", "a"],
  none: ["n"],
  skip: [" "],
  not_similar: ["x"],
  undo: ["z"],
  redo: ["Z"],
  next: ["j", "ArrowDown", "ArrowRight"],
  previous: ["k", "ArrowUp", "ArrowLeft"],
  first: ["Home"],
  last: ["End"],
  select: ["v"],
  invert: ["i"],
  threshold: ["t"],
  accept_page: ["A"],
  palette: ["l"],
  similar: ["s"],
  flag: ["f"],
  comment: ["c"],
  whole: ["e"],
  fields: ["o"],
  differences: ["d"],
  map: ["g"],
  search: ["/"],
  help: ["?"],
};
const WORDS = {
  accept: "Accept the suggestion, or save the labels switched on (on a decided row: next row)",
  none: "None of these",
  skip: "Skip (on a decided row: next row)",
  not_similar: "Not similar to the session’s starting point",
  undo: "Undo, repeatedly",
  redo: "Redo",
  next: "Next row",
  previous: "Previous row",
  first: "First row",
  last: "Last row",
  select: "Start a selection: move to extend it, then press a label’s key",
  invert: "Invert the selection among undecided rows",
  threshold: "Select by minimum similarity or probability",
  accept_page: "Accept suggestions above a probability, in the session or the selection",
  palette: "Find a label by name",
  similar: "Start a session of records similar to this row or the selection",
  flag: "Flag",
  comment: "Comment",
  whole: "Show the full text of a long record, or shorten it",
  fields: "Show or hide the record’s fields",
  differences: "Underline differences from the starting record",
  map: "Show this record on the map",
  search: "Search",
  help: "Keyboard shortcuts",
};
const CAPS = { " ": "Space", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };
const GROUPS = {
  "Labeling": ["accept", "palette", "none", "skip", "not_similar", "undo", "redo", "flag", "comment"],
  "Several rows": ["select", "threshold", "invert", "accept_page"],
  "Navigation": ["next", "previous", "first", "last", "whole", "fields", "differences"],
  "Other": ["similar", "map", "search", "help"],
};
// Escape always ends what is open, and nothing destructive lies on a key pressed by mistake.
const RESERVED = new Set(["Escape", "Tab", "Backspace", "Delete"]);

// Caps Lock must not turn "a" into "accept the whole page": Shift alone makes a capital.
const nameOf = (event) => {
  const key = event.key;
  if (key.length !== 1 || key.toLowerCase() === key.toUpperCase()) return key;
  return event.shiftKey ? key.toUpperCase() : key.toLowerCase();
};

const digitOf = (event) => {
  if (/^[0-9]$/.test(event.key)) return event.key;
  // On keyboards whose digits need Shift, the key itself is meant.
  return event.shiftKey ? null : (/^Digit([0-9])$/.exec(event.code)?.[1] ?? null);
};

const capOf = (key) => {
  if (CAPS[key]) return CAPS[key];
  const isCapital = key.length === 1 && key !== key.toLowerCase();
  return isCapital ? `Shift ${key}` : key;
};

const withControl = (event) => {
  const key = event.key.toLowerCase();
  if (event.altKey) return null;
  if (key === "z") return event.shiftKey ? "redo" : "undo";
  return key === "y" ? "redo" : null;
};

export const createKeys = (own, labelKeys) => {
  // A key that somebody chose is theirs, even where a later version gave it to another command; and
  // a label's letter goes before a command's key that was chosen in another project.
  const isTaken = (key) => Object.values(own).includes(key);
  const isFree = (key) => labelKeys.ofLetter(key) === null;
  const keysOf = (command) =>
    own[command] ? [own[command]].filter(isFree) : OURS[command].filter((key) => !isTaken(key) && isFree(key));
  const commandFor = (event) => {
    if (event.ctrlKey || event.metaKey) return { command: withControl(event) };
    if (event.altKey) return { command: null };
    if (event.key === "Escape") return { command: "clear" };
    const key = nameOf(event);
    const command = Object.keys(OURS).find((each) => keysOf(each).includes(key));
    if (command) return { command };
    const labelId = labelKeys.ofLetter(key) ?? labelKeys.ofDigit(digitOf(event));
    return labelId === null ? { command: null } : { command: "label", labelId };
  };
  const isDigit = (key) => /^[0-9]$/.test(key);
  const heldBy = (key, command) => {
    const other = Object.keys(OURS).find((each) => each !== command && keysOf(each).includes(key));
    return other ? `${capOf(key)} is already used for: ${WORDS[other]}.` : null;
  };
  const heldByLabel = (key, id) => {
    const why = labelKeys.trouble(id, key);
    return why && `${capOf(key)} is already used. ${why}`;
  };
  // Why a command cannot have this key, or null.
  const trouble = (command, key) => {
    if (RESERVED.has(key) || isDigit(key)) return `${capOf(key)} is reserved.`;
    return heldBy(key, command) ?? heldByLabel(key, null);
  };
  // The same of a label.
  const labelTrouble = (id, key) => {
    if (isDigit(key)) return null;
    if (RESERVED.has(key) || key.length !== 1) return "A label’s key must be a digit, a letter or a symbol.";
    const held = heldBy(key, null);
    return held ? `${held} Change that shortcut first, or choose another key.` : heldByLabel(key, id);
  };
  const paintCaps = (root) => {
    for (const cap of root.querySelectorAll("kbd[data-cap]")) {
      const [key] = keysOf(cap.dataset.cap);
      cap.textContent = key === undefined ? "" : capOf(key);
      cap.hidden = key === undefined;
    }
  };
  return { groups: GROUPS, words: WORDS, keysOf, capOf, commandFor, nameOf, trouble, labelTrouble, paintCaps, own };
};
