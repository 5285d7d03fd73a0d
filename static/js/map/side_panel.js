// Beside the map: the hint, the chosen record, the records in view, and what the lasso holds.
const PAUSE = 120;
const LEAST_SPOT_CHECKED = 80;

const later = (pause, run) => {
  let waiting = 0;
  return (...what) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => run(...what), pause);
  };
};

export const createSidePanel = (root, pages, version, { find, unfind }) => {
  const at = (selector) => root.querySelector(selector);
  const hint = at("#map-hint");
  const card = at("#map-card");
  const list = at("#map-list");
  let hinted = null;
  let chosen = null;

  // The server makes the words; htmx puts them in their place.
  const fetched = (url, target) => window.htmx.ajax("GET", url, { target, swap: "innerHTML" });
  const ofRecord = (id, what = "") => `${pages}/records/${id}${what}?version=${version()}`;

  const askHint = later(PAUSE, async (id) => {
    if (id !== hinted) return;
    await fetched(ofRecord(id, "/hint"), hint);
    const shown = hint.querySelector("[data-record]");
    hint.hidden = id !== hinted || shown?.dataset.record !== String(id);
  });
  const point = (id, place) => {
    if (id === hinted) return;
    hinted = id;
    hint.hidden = true;
    if (id === null) return;
    const stage = hint.parentElement;
    hint.style.left = `${Math.min(place[0] + 14, Math.max(8, stage.clientWidth - 300))}px`;
    const isLow = place[1] > stage.clientHeight / 2;
    hint.style.top = isLow ? "auto" : `${place[1] + 14}px`;
    hint.style.bottom = isLow ? `${stage.clientHeight - place[1] + 14}px` : "auto";
    askHint(id);
  };

  const choose = async (id, takesFocus) => {
    chosen = id;
    card.hidden = id === null;
    if (id === null) return card.replaceChildren();
    await fetched(ofRecord(id), card);
    if (takesFocus) card.querySelector("h2")?.focus();
  };

  const showList = later(300, async (ids) => {
    if (!at("#map-listed").open) return;
    list.setAttribute("aria-busy", "true");
    await fetched(`${pages}/list?version=${version()}&ids=${ids.join(",")}`, list);
    list.setAttribute("aria-busy", "false");
  });
  // Nobody who walks through the list loses their place in it.
  list.addEventListener("htmx:beforeSwap", (event) => {
    if (list.contains(document.activeElement)) event.detail.shouldSwap = false;
  });

  list.addEventListener("focusin", (event) => find(Number(event.target.dataset.record)));
  list.addEventListener("focusout", () => unfind());
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-record]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(Number(link.dataset.record), true);
    find(Number(link.dataset.record));
  });
  list.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a[data-record]")];
    const here = links.indexOf(document.activeElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
  });

  const counted = (box, classes, rows, of) => {
    const counts = new Map();
    for (const row of rows) counts.set(of[row], (counts.get(of[row]) || 0) + 1);
    const items = classes.filter((each) => counts.has(each.at)).map((each) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.className = `marker ${each.css}`;
      name.textContent = each.name;
      name.dir = "auto";
      const n = document.createElement("span");
      n.className = "num";
      n.textContent = counts.get(each.at).toLocaleString("en");
      item.append(name, n);
      return item;
    });
    box.replaceChildren(...items);
  };

  const selection = at("#map-selection");
  const form = selection.querySelector("form");
  const unlabeled = at("#map-unlabeled");
  // rows: the selected ones, nearest to the lasso's middle first.
  const select = (rows, data, { classes, of }) => {
    selection.hidden = rows.length === 0;
    if (!rows.length) return;
    const most = Number(root.dataset.most);
    const open = rows.filter((row) => !data.labels[row]);
    const taken = unlabeled.checked ? open : rows;
    selection.querySelector("h2").textContent = `${rows.length.toLocaleString("en")} selected`;
    unlabeled.parentElement.querySelector("span").textContent = `(${open.length.toLocaleString("en")})`;
    counted(selection.querySelector(".map-counts"), classes, rows, of);
    at("#map-cut").hidden = taken.length <= most;
    form.elements.record_ids.value = taken.slice(0, most).map((row) => data.ids[row]).join(",");
    const [label, spotCheck] = form.querySelectorAll("button");
    label.disabled = taken.length === 0;
    const isSuggested = taken.some((row) => data.suggestions[row]);
    spotCheck.disabled = taken.length < LEAST_SPOT_CHECKED || !isSuggested;
    spotCheck.title = spotCheck.disabled
      ? `Needs suggestions and at least ${LEAST_SPOT_CHECKED} records.`
      : "Label a random sample first; if the suggestions are right, accept the rest in one step";
  };

  return { point, choose, showList, select, chosen: () => chosen, listed: at("#map-listed") };
};
