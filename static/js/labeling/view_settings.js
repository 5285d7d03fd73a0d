// How the page looks and behaves for this user: kept with the user, here and in every browser.
export const createViewSettings = (root, rows, announcer) => {
  const menu = root.querySelector("#view-settings");
  const rerankers = [];

  const keep = async (changes) => {
    const response = await fetch("/me/preferences", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(changes),
    }).catch(() => null);
    if (!response?.ok) announcer.toast("Your choice could not be saved. It applies until you leave this page.", false);
  };

  const paint = () => {
    for (const button of menu.querySelectorAll("[data-setting]")) {
      button.setAttribute("aria-pressed", String(root.dataset[button.dataset.setting] === button.dataset.value));
    }
  };

  const PREFERENCES = { density: "density", textSize: "text_size", differences: "shows_differences", rerank: "is_reranked" };

  const set = (name, value) => {
    root.dataset[name] = value;
    paint();
    keep({ [PREFERENCES[name]]: ["yes", "no"].includes(value) ? value === "yes" : value });
    if (name === "rerank") rerankers.forEach((listener) => listener());
    rows.focused()?.scrollIntoView({ block: "nearest" });
  };

  menu.addEventListener("click", (event) => {
    const button = event.target.closest("[data-setting]");
    if (button) set(button.dataset.setting, button.dataset.value);
  });

  const setView = (view) => {
    root.dataset.view = view;
    for (const link of root.querySelectorAll("[data-view-link]")) {
      link.toggleAttribute("aria-current", false);
      if (link.dataset.viewLink === view) link.setAttribute("aria-current", "true");
    }
    const url = new URL(location.href);
    url.searchParams.delete("at");
    if (view === "card") url.searchParams.set("view", "card");
    else url.searchParams.delete("view");
    history.replaceState(null, "", url);
    rows.focus(rows.focused());
  };

  paint();
  return {
    keep, setView,
    differences() {
      const isOn = root.dataset.differences !== "yes";
      set("differences", isOn ? "yes" : "no");
      announcer.announce(isOn ? "Differences are underlined." : "Differences are not underlined.");
    },
    get isReranked() { return root.dataset.rerank === "yes"; },
    onRerank: (listener) => rerankers.push(listener),
  };
};
