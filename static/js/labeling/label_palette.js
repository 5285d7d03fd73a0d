// Finding a label by typing, where there are more labels than digits: a combobox over the page.
const MOST_RECENT = 50;

export const createLabelPalette = (root, parts, choose) => {
  const { rowView, viewSettings, keys, labelKeys } = parts;
  const { project, user } = root.dataset;
  const dialog = root.querySelector("#palette");
  const field = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const status = dialog.querySelector("[role=status]");
  const storage = `likewise-labels/${user}/${project}`;
  let labels = [];
  let shown = [];
  let active = 0;

  const recent = () => {
    try {
      return JSON.parse(localStorage.getItem(storage)) ?? [];
    } catch {
      return []; // Storage may be forbidden; then the order is that of the label set.
    }
  };

  const remember = (id) => {
    const now = [id, ...recent().filter((each) => each !== id)].slice(0, MOST_RECENT);
    try {
      localStorage.setItem(storage, JSON.stringify(now));
    } catch {
      // As above.
    }
  };

  const countOf = (id) => root.querySelector(`[data-count="${id}"]`)?.textContent ?? "";

  // --- what matches ----------------------------------------------------------------------------

  // 3: begins so; 2: the initials; 1: a word begins so; 0: somewhere within; -1: not at all.
  const closeness = (label, typed) => {
    const name = fold(label.name);
    if (name.startsWith(typed)) return 3;
    if (label.words.map((word) => word[0]).join("").startsWith(typed.replace(/\s/g, ""))) return 2;
    if (typed.split(/\s+/).every((part) => label.words.some((word) => word.startsWith(part)))) return 1;
    return name.includes(typed) ? 0 : -1;
  };

  const matching = () => {
    const typed = fold(field.value.trim());
    const lately = new Map(recent().map((id, place) => [id, place]));
    const lateness = (label) => lately.get(label.id) ?? MOST_RECENT;
    return labels
      .map((label, place) => ({ label, place, near: typed ? closeness(label, typed) : 0 }))
      .filter((each) => each.near >= 0)
      .sort((a, b) => b.near - a.near || lateness(a.label) - lateness(b.label) || a.place - b.place)
      .map((each) => each.label);
  };

  // --- the list --------------------------------------------------------------------------------

  const small = (tag, text, className = "") => {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = text;
    return made;
  };

  const option = (label, i) => {
    const made = document.createElement("li");
    made.id = `palette-${label.id}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", String(i === active));
    made.dataset.label = label.id;
    made.append(rowView.chip(label.id), small("span", countOf(label.id), "n"));
    const [key] = labelKeys.keysOf(label.id);
    if (key) made.append(small("kbd", keys.capOf(key)));
    return made;
  };

  const show = () => {
    shown = matching();
    active = Math.min(active, Math.max(shown.length - 1, 0));
    list.replaceChildren(...shown.map(option));
    status.textContent = shown.length === 0 ? "No matching label." : `${shown.length} of ${labels.length} labels`;
    point();
  };

  const point = () => {
    [...list.children].forEach((each, i) => each.setAttribute("aria-selected", String(i === active)));
    const here = list.children[active];
    if (here) field.setAttribute("aria-activedescendant", here.id);
    else field.removeAttribute("aria-activedescendant");
    here?.scrollIntoView({ block: "nearest" });
  };

  const take = (id) => {
    dialog.close();
    remember(id);
    choose(id);
  };

  // From now on this label has this key, for this user.
  const giveKey = (key) => {
    const label = shown[active];
    const why = label && keys.labelTrouble(label.id, key);
    if (why) status.textContent = why;
    if (!label || why) return;
    labelKeys.give(label.id, key);
    keepKeys();
  };

  const keepKeys = async () => {
    dialog.close();
    await viewSettings.keep(labelKeys.choices);
    labelKeys.redraw();
  };

  // With Alt, some keyboards write another sign: then the key itself is meant.
  const withAlt = (event) => {
    const digit = /^Digit([0-9])$/.exec(event.code)?.[1];
    const letter = /^[a-z]$/i.test(event.key) ? event.key : /^Key([A-Z])$/.exec(event.code)?.[1];
    return digit ?? letter?.toLowerCase() ?? null;
  };

  field.addEventListener("input", () => {
    active = 0;
    show();
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.altKey && withAlt(event)) giveKey(withAlt(event));
    else if (event.key === "Enter" && shown[active]) take(shown[active].id);
    else if (event.key in moves) {
      active = Math.min(Math.max(active + moves[event.key], 0), Math.max(shown.length - 1, 0));
      point();
    } else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const here = event.target.closest("[role=option]");
    if (here) take(Number(here.dataset.label));
  });
  dialog.querySelector("[data-most-used]").addEventListener("click", () => {
    labelKeys.mostUsed();
    keepKeys();
  });

  return {
    remember,
    open() {
      labels = labelKeys.labels.map((label) => ({ ...label, words: wordsOf(label.name) }));
      field.value = "";
      active = 0;
      dialog.showModal();
      show();
      field.focus();
    },
  };
};

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const wordsOf = (name) => fold(name).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
