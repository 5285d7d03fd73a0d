// How far the session is, as the server last said; and who wants to know when something was saved.
(() => {
  window.likewise.progress = (root) => {
    const find = (selector) => root.querySelector(selector);
    const listeners = [];

    const show = (progress) => {
      find("[data-progress=labeled]").textContent = progress.n_labeled.toLocaleString("en");
      find("[data-progress=decided]").textContent = progress.n_decided.toLocaleString("en");
      find("#progress").value = progress.n_decided;
      find("#finished").hidden = progress.n_decided < progress.n_records;
      const counts = new Map(progress.by_label.map((each) => [String(each.label_id), each.n]));
      for (const place of root.querySelectorAll("[data-count]")) {
        place.textContent = counts.get(place.dataset.count) ?? "";
      }
    };

    return {
      show,
      // n: records that were labeled, undone or redone.
      changed: (n) => listeners.forEach((listener) => listener(n)),
      onChange: (listener) => listeners.push(listener),
    };
  };
})();
