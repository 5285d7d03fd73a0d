// How far the session is, as the server last counted; and who wants to know when something was saved.
// A long session is counted every so many labels: its first number goes on by itself in between.
const LEAST = 5;
const ROWS_AT_ONCE = 500;

export const createProgress = (root) => {
  const find = (selector) => root.querySelector(selector);
  const { project, session, records } = root.dataset;
  const listeners = [];
  const every = Math.max(LEAST, Math.ceil(Number(records) / ROWS_AT_ONCE));
  let nDecided = find("#progress").value;
  let since = 0;

  const showDecided = (n) => {
    nDecided = Math.min(Math.max(n, 0), Number(records));
    find("[data-progress=decided]").textContent = nDecided.toLocaleString("en");
    find("#progress").value = nDecided;
    const isDone = nDecided >= Number(records);
    find("#finished").hidden = !isDone;
    // What was expected of it is moot then.
    find("#forecast")?.toggleAttribute("hidden", isDone);
  };

  const show = (progress) => {
    find("[data-progress=labeled]").textContent = progress.n_labeled.toLocaleString("en");
    showDecided(progress.n_decided);
    const counts = new Map(progress.by_label.map((each) => [String(each.label_id), each.n]));
    for (const place of root.querySelectorAll("[data-count]")) {
      place.textContent = counts.get(place.dataset.count) ?? "";
    }
  };

  const ask = async () => {
    since = 0;
    const url = `/api/v1/projects/${project}/sessions/${session}/progress`;
    const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
    if (response?.ok && since === 0) show(await response.json());
  };

  return {
    every,
    // progress: as the server counted it, null where it did not; gained: how many more records
    // than before are decided by this user; n: how many an action was about.
    saved(progress, gained, n) {
      if (progress) {
        show(progress);
        return;
      }
      showDecided(nDecided + gained);
      since += Math.max(n, 1);
      if (since >= every || nDecided === Number(records)) ask();
    },
    // n: records that were labeled, undone or redone.
    changed: (n) => listeners.forEach((listener) => listener(n)),
    onChange: (listener) => listeners.push(listener),
  };
};
