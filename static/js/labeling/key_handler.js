// From a pressed key to a command: which keys are the page's, and which belong to what has the focus.

// A key that is held down moves through the rows; it must not label them all.
const REPEATABLE = new Set(["next", "previous"]);
const SLIDING = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);

const isComposing = (event) => event.isComposing || event.keyCode === 229;
const isTyping = ({ target, key }) =>
  target.matches?.("input[type=range]") ? SLIDING.has(key) : target.closest?.("input, textarea, select, [contenteditable]");
const isPressing = (event) => event.target.closest?.("button, a, summary") && ["Enter", " "].includes(event.key);
const isScrolling = (event) => event.target.closest?.(".whole-text") && SLIDING.has(event.key);

// run: called with the command's name and, for "label", the label's id.
export const createKeyHandler = ({ keys, dialogs, run }) => (event) => {
  if (isComposing(event) || dialogs.isOpen || isTyping(event) || isPressing(event) || isScrolling(event)) return;
  const { command, labelId } = keys.commandFor(event);
  if (!command || (event.repeat && !REPEATABLE.has(command))) return;
  event.preventDefault();
  run(command, labelId);
};
