// What is said aloud to screen readers, and the note at the foot of the page.
(() => {
  const SECONDS = 8;

  window.likewise.told = (root) => {
    const place = root.querySelector("#told");
    const note = root.querySelector("#toast");
    let timer = null;

    // The same sentence twice is said twice.
    const tell = (sentence) => {
      place.textContent = place.textContent === sentence ? `${sentence}\u00a0` : sentence;
    };
    const hideToast = () => (note.hidden = true);
    const toast = (sentence) => {
      note.querySelector("span").textContent = sentence;
      note.hidden = false;
      clearTimeout(timer);
      timer = setTimeout(hideToast, SECONDS * 1000);
    };
    return { tell, toast, hideToast };
  };
})();
