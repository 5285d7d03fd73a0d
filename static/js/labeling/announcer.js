// Announcements to screen readers, and the note at the foot of the page.
const SECONDS = 8;

export const createAnnouncer = (root) => {
  const place = root.querySelector("#announcer");
  const note = root.querySelector("#toast");
  const banner = root.querySelector("#unsaved");
  let timer = null;

  // The same sentence twice is announced twice.
  const announce = (sentence) => {
    place.textContent = place.textContent === sentence ? `${sentence}\u00a0` : sentence;
  };
  const hideToast = () => (note.hidden = true);
  const toast = (sentence, canUndo = true) => {
    note.querySelector("span").textContent = sentence;
    note.querySelector("button").hidden = !canUndo;
    note.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(hideToast, SECONDS * 1000);
  };
  // what: {count, sentence, seconds}, or null when all is saved.
  const trouble = (what) => {
    banner.hidden = what === null;
    if (what === null) return;
    const changes = `${what.count} ${what.count === 1 ? "change is" : "changes are"} not saved yet.`;
    const again = what.seconds === null ? "" : ` Trying again in ${what.seconds} s.`;
    banner.querySelector("span").textContent = `${changes} ${what.sentence}${again}`;
  };
  return { trouble, announce, toast, hideToast };
};
