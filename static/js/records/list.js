// The records page: shortcuts, selecting a whole page, and keeping early input.
const boxes = () => [...document.querySelectorAll("#selection input[name=record_ids]")];

const offerTickAll = () => {
  const all = document.querySelector(".tick-all");
  if (all) all.hidden = false;
};
offerTickAll();
document.addEventListener("htmx:afterSettle", offerTickAll);

document.addEventListener("change", (event) => {
  if (event.target.id !== "tick-all") return;
  for (const box of boxes()) box.checked = event.target.checked;
});

// Shift selects a range.
let last = null;
document.addEventListener("click", (event) => {
  const box = event.target.closest?.("#selection input[name=record_ids]");
  if (!box) return;
  const every = boxes();
  const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) {
    for (const each of every.slice(from, to + 1)) each.checked = box.checked;
  }
  last = box;
});

// Start one session, however often the key is pressed; later keys must not label unseen records.
const startSession = () => {
  const form = document.getElementById("open-session");
  if (!form) return;
  form.requestSubmit();
  window.likewise.heldKeys.carry("");
};

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
  if (isTyping || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "s") startSession();
  else if (event.key === "/") document.getElementById("record-search-words")?.focus();
  else return;
  event.preventDefault();
});
window.likewise.heldKeys.release();

// Search for text typed before htmx was ready.
document.addEventListener("DOMContentLoaded", () => {
  const words = document.getElementById("record-search-words");
  if (words.value !== words.defaultValue) words.form.requestSubmit();
});
