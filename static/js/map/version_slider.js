// The slider between two versions: points wander from where they lay to where they lie.
const SECONDS = 1.8;

export const createVersionSlider = (box, moved) => {
  const range = box.querySelector("input");
  const button = box.querySelector('[data-map="play"]');
  const before = box.querySelector("#map-slide-before");
  const after = box.querySelector("#map-slide-after");
  let frame = 0;

  const set = (share) => {
    range.value = Math.round(100 * share);
    range.setAttribute("aria-valuetext", `${range.value} % towards ${after.textContent}`);
    moved(share);
  };
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = "Play";
  };
  const play = () => {
    if (frame) return stop();
    const start = range.value >= 100 ? 0 : range.value / 100;
    // Who asked for less motion gets a step of a quarter with each press.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      return set(range.value >= 100 ? 0 : Math.min(1, range.value / 100 + 0.25));
    }
    button.textContent = "Stop";
    const began = performance.now() - start * SECONDS * 1000;
    const step = (now) => {
      const share = Math.min(1, (now - began) / (SECONDS * 1000));
      set(share < 1 ? share * share * (3 - 2 * share) : 1);
      if (share < 1) frame = requestAnimationFrame(step);
      else stop();
    };
    frame = requestAnimationFrame(step);
  };
  range.addEventListener("input", () => {
    stop();
    set(range.value / 100);
  });
  button.addEventListener("click", play);
  return {
    show: (from, to) => {
      stop();
      box.hidden = from === null;
      before.textContent = from === null ? "" : `Version ${from}`;
      after.textContent = `Version ${to}`;
      set(1);
    },
  };
};
