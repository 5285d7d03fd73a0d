// The labeling page: a key or a click becomes an act. Without this file every row has its own form.
(() => {
  const root = document.getElementById("session");
  if (!root) return;
  const { project, session } = root.dataset;
  const isMulti = root.dataset.multi === "yes";
  const find = (selector) => root.querySelector(selector);
  let shownAt = performance.now();

  const keys = window.likewise.keys(JSON.parse(root.dataset.keys || "{}"));
  const rows = window.likewise.rows(root, (row) => onFocus(row));
  const dialogs = window.likewise.dialogs(root, keys);
  const acts = window.likewise.acts(root, rows);
  const ahead = window.likewise.ahead(root, rows);

  // --- saying something ------------------------------------------------------------------------

  // The selection if there is one, else the focused row.
  const meant = () => {
    const chosen = rows.selected();
    return chosen.length > 0 ? chosen : [rows.focused()].filter(Boolean);
  };

  const sayAll = (verdict, labels) => {
    const chosen = meant();
    if (chosen.length === 0) return;
    const last = chosen[chosen.length - 1];
    const wasDecided = chosen.length === 1 && rows.isDecided(last);
    const isPage = rows.selected().length > 0;
    acts.say(chosen.map((row) => [row, verdict, labels]), isPage ? "page" : "single", shownAt);
    if (isPage) acts.toast(`${chosen.length} records: ${acts.wordsOf([null, verdict, labels])}.`);
    rows.clearSelection();
    rows.moveOn(last, wasDecided);
  };

  const pendingOf = (row) => row.dataset.pending?.split(" ").filter(Boolean).map(Number);

  const toggle = (labelId) => {
    for (const row of meant()) {
      const now = new Set(pendingOf(row) ?? rows.labelsOf(row));
      if (!now.delete(labelId)) now.add(labelId);
      const labels = [...now].sort((a, b) => a - b);
      // Switched back to what was said before: then nothing waits for Enter.
      if (labels.join(" ") === row.dataset.labels) rows.unpaintPending(row);
      else rows.paintPending(row, labels);
    }
    markLegend(rows.focused());
  };

  const acceptedLabels = (row) => {
    if (row.dataset.pending !== undefined) return pendingOf(row);
    const suggested = rows.suggestionsOf(row).map(([id]) => id);
    return isMulti ? suggested : suggested.slice(0, 1);
  };

  // All labels switched off is a say, too.
  const acceptedSay = (row) => {
    const labels = acceptedLabels(row);
    return [row, labels.length > 0 ? "label" : "none", labels];
  };

  const accept = () => {
    const chosen = meant().filter((row) => row.dataset.pending !== undefined || acceptedLabels(row).length > 0);
    if (chosen.length === 0) {
      acts.tell("There is no suggestion to accept.");
      return;
    }
    const last = chosen[chosen.length - 1];
    const wasDecided = chosen.length === 1 && rows.isDecided(last);
    const isPage = rows.selected().length > 0;
    acts.say(chosen.map(acceptedSay), isPage ? "page" : "single", shownAt);
    rows.clearSelection();
    rows.moveOn(last, wasDecided);
  };

  const acceptPage = () => {
    const chosen = rows.selected();
    const page = chosen.length > 0 ? chosen : rows.all().filter((row) => !rows.isDecided(row));
    const open = page.filter((row) => rows.suggestionsOf(row).length > 0).slice(0, 1000);
    if (open.length === 0) {
      window.likewise.notice("There is no open suggestion on this page to accept.", "info");
      return;
    }
    acts.say(open.map((row) => [row, "label", acceptedLabels(row)]), "page", shownAt);
    rows.clearSelection();
    acts.toast(`Accepted ${open.length} ${open.length === 1 ? "suggestion" : "suggestions"}.`);
  };

  const skip = () => {
    const chosen = meant();
    if (chosen.length === 1 && rows.isDecided(chosen[0])) rows.step(1);
    else sayAll("skip", []);
  };

  const comment = async () => {
    const row = rows.focused();
    if (!row) return;
    const text = await dialogs.ask();
    if (text) acts.remark(row, "comment", text);
    rows.focus(row);
  };

  // --- around the rows -------------------------------------------------------------------------

  const markLegend = (row) => {
    const on = row ? (pendingOf(row) ?? rows.labelsOf(row)) : [];
    for (const button of root.querySelectorAll("#legend [data-label]")) {
      button.setAttribute("aria-pressed", String(on.includes(Number(button.dataset.label))));
    }
  };

  const onFocus = (row) => {
    shownAt = performance.now();
    markLegend(row);
    find("#card-place").textContent = `${Number(row.dataset.rank) + 1} of ${root.dataset.records}`;
    ahead.lookFrom(row);
  };

  const startFromHere = async () => {
    const form = find("#from-here");
    const chosen = meant();
    form.elements.seed_kind.value = chosen.length > 1 ? "selection" : "record";
    form.elements.record_ids.value = chosen.map((row) => row.dataset.record).join(",");
    await acts.whenSaved();
    form.requestSubmit();
  };

  const select = () => {
    if (rows.anchor) rows.clearSelection();
    else rows.startRange(rows.focused());
  };

  const search = () => {
    const field = document.querySelector("input[type=search]");
    if (field) field.focus();
    else location.assign(`/projects/${project}/search`);
  };

  const deeds = {
    label: (labelId) => (isMulti ? toggle(labelId) : sayAll("label", [labelId])),
    accept,
    accept_page: acceptPage,
    none: () => sayAll("none", []),
    skip,
    not_similar: () => sayAll("not_similar", []),
    undo: () => acts.takeBack("undo"),
    redo: () => acts.takeBack("redo"),
    next: () => rows.step(1),
    previous: () => rows.step(-1),
    first: () => rows.focus(rows.all()[0]),
    last: () => rows.focus(rows.all().at(-1)),
    select,
    invert: rows.invert,
    clear: rows.clearSelection,
    similar: startFromHere,
    flag: () => rows.focused() && acts.remark(rows.focused(), "flag", ""),
    comment,
    search,
    help: dialogs.showHelp,
    save_now: () => acts.sendNow(),
  };
  // A key that is held down moves through the rows; it must not label them all.
  const REPEATABLE = new Set(["next", "previous"]);

  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  const isPressing = (event) => event.target.closest?.("button, a, summary") && ["Enter", " "].includes(event.key);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || dialogs.isOpen || isTyping(event.target)) return;
    if (isPressing(event)) return;
    const { deed, digit } = keys.deedOf(event);
    if (!deed || (event.repeat && !REPEATABLE.has(deed))) return;
    event.preventDefault();
    if (deed === "label") {
      const button = find(`#legend [data-key="${digit}"]`);
      if (button) deeds.label(Number(button.dataset.label));
    } else deeds[deed]();
  });

  root.addEventListener("click", (event) => {
    const link = event.target.closest("[data-view-link]");
    const button = event.target.closest("button[data-do], a[data-do]");
    const row = event.target.closest(".say-row");
    if (link) {
      event.preventDefault();
      ahead.setView(link.dataset.viewLink);
    } else if (button) {
      event.preventDefault();
      deeds[button.dataset.do](Number(button.dataset.label));
      if (!dialogs.isOpen) rows.focused()?.focus({ preventScroll: true });
    } else if (row && !event.target.closest("a, summary")) onRowClick(event, row);
  });

  const onRowClick = (event, row) => {
    if (event.shiftKey) {
      getSelection()?.removeAllRanges();
      rows.selectRange(rows.focused() ?? row, row);
    } else if (event.ctrlKey || event.metaKey) {
      rows.select(row, row.getAttribute("aria-selected") !== "true");
    } else {
      rows.clearSelection();
      rows.focus(row);
    }
  };

  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.do) {
      event.preventDefault();
      deeds[form.dataset.do]();
      rows.focused()?.focus({ preventScroll: true });
    } else if (form.matches(".add-label")) {
      event.preventDefault();
      ahead.addLabel(form, acts.whenSaved);
    }
  });

  window.addEventListener("beforeunload", (event) => {
    if (root.querySelector(".say-row[data-pending]")) event.preventDefault();
  });

  // --- begin -----------------------------------------------------------------------------------

  keys.paintCaps(document);
  root.classList.add("is-scripted");
  // What an earlier page said and could not send is decided, too: begin after it.
  const isAsked = new URLSearchParams(location.search).has("at");
  const open = isAsked ? null : rows.all().find((row) => !rows.isDecided(row));
  rows.focus(open ?? rows.focused());
  acts.sendNow();
})();
