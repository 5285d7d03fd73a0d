// Two versions next to each other, or one that wanders into the other; the address says which.
// Whoever reloads the page, or passes its address on, sees the same.
export const rememberInUrl = (name, value) => {
  const address = new URL(window.location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  window.history.replaceState(window.history.state, "", address);
};

export const createSideBySide = (root, split) => {
  const button = root.querySelector('[data-map="beside"]');
  const stage = root.querySelector(".map-stage");
  const wander = root.querySelector(".map-wander");
  const names = root.querySelectorAll(".map-name");
  const usual = root.dataset.view || "slide";
  let isWanted = (new URL(window.location.href).searchParams.get("view") || usual) === "beside";
  let isCompared = false;

  const arrange = () => {
    const isBeside = isWanted && isCompared;
    button.setAttribute("aria-pressed", String(isWanted));
    stage.classList.toggle("is-beside", isBeside);
    wander.hidden = isBeside;
    for (const name of names) name.hidden = !isBeside;
    split(isBeside ? 2 : 1);
  };
  return {
    // before: the number of the version compared with, or null.
    show: (before, after) => {
      isCompared = before !== null;
      [before, after].forEach((number, at) => (names[at].textContent = `Version ${number}`));
      arrange();
    },
    turn: () => {
      isWanted = !isWanted;
      const view = isWanted ? "beside" : "slide";
      rememberInUrl("view", view === usual ? "" : view);
      arrange();
    },
  };
};
