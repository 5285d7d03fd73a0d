// Shortcuts of the record page: a key activates the button, link or checkbox that shows it.
const { heldKeys } = window.likewise;

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("textarea, select, input:not([type=checkbox]), [contenteditable]")) return;
  // A focused button or link keeps its own Enter and Space.
  const isOwn = event.key === "Enter" || event.key === " ";
  if (isOwn && event.target.closest("a, button, summary, input")) return;
  const marked = [...document.querySelectorAll("[data-key], [data-focus-key]")];
  const found = marked.find((each) => (each.dataset.key || each.dataset.focusKey) === event.key);
  if (!found) return;
  event.preventDefault();
  if (found.dataset.focusKey) found.focus();
  else found.click();
  if (found.matches("a")) heldKeys.carry("record");
});

// Keys pressed during a request are for the next page: leaving at once would cancel
// the request.
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) heldKeys.carry("record");
});
heldKeys.release();
