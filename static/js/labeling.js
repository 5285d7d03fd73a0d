// The labeling page: a key or a click becomes an act, shown at once and honestly: "saved" only
// after the server said so. Without this file every row has its own form.
(() => {
  const root = document.getElementById("session");
  if (!root) return;
  const { project, session, user, multi } = root.dataset;
  const api = `/api/v1/projects/${project}`;
  const isMulti = multi === "yes";
  const sessionId = Number(session);
  const find = (selector) => root.querySelector(selector);
  const next = { undo: Number(root.dataset.undo) || null, redo: Number(root.dataset.redo) || null };
  const done = [];
  const undone = [];
  let shownAt = performance.now();

  const keys = window.likewise.keys(JSON.parse(root.dataset.keys || "{}"));
  const rows = window.likewise.rows(root, (row) => onFocus(row));
  const dialogs = window.likewise.dialogs(root, keys);
  const tell = (sentence) => (find("#told").textContent = sentence);
  const newKey = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");

  const outbox = window.likewise.outbox(user, {
    prepare: (deed) => prepare(deed),
    saved: (deed, answer) => onSaved(deed, answer),
    refused: (deed, sentence) => onRefused(deed, sentence),
    trouble: (what) => onTrouble(what),
  });

  // --- what happens to an act on its way -------------------------------------------------------

  const recordsOf = (deed) => deed.records ?? [];

  // An undo of something older than this page: by now the server has told which act that is.
  const prepare = (deed) => {
    if (!deed.isNext) return true;
    deed.body.act_id ??= next[deed.kind];
    if (deed.body.act_id) return true;
    tell(`There is nothing to ${deed.kind}.`);
    return false;
  };

  const isWaiting = (recordId) => outbox.waiting.some((deed) => recordsOf(deed).includes(recordId));

  const onSaved = (deed, answer) => {
    next.undo = answer.undo_id;
    next.redo = answer.redo_id;
    if (deed.body.session_id === sessionId && answer.progress) paintProgress(answer.progress);
    for (const record of answer.records) settle(record);
    if (deed.kind === "label") return;
    const first = answer.records.map((record) => rows.ofRecord(record.record_id)).find(Boolean);
    if (deed.isNext && first) rows.focus(first);
    if (deed.isNext && answer.act_id && !first) window.likewise.notice(`Took back an act outside of this session.`, "info");
  };

  const settle = (record) => {
    const row = rows.ofRecord(record.record_id);
    if (!row || isWaiting(record.record_id)) return;
    if (row.dataset.pending === undefined) rows.paint(row, record.verdict, record.label_ids);
    rows.paintFlag(row, record.is_flagged);
    rows.setState(row, "saved");
  };

  const onRefused = (deed, sentence) => {
    for (const id of recordsOf(deed)) {
      const row = rows.ofRecord(id);
      if (!row) continue;
      const before = deed.before?.[id];
      if (before) rows.paint(row, before.verdict, before.labels);
      rows.setState(row, "refused");
    }
    window.likewise.notice(`Not saved: ${sentence}`, "bad");
  };

  const onTrouble = (what) => {
    const banner = find("#unsaved");
    banner.hidden = what === null;
    for (const deed of outbox.waiting) {
      for (const id of recordsOf(deed)) {
        const row = rows.ofRecord(id);
        if (row) rows.setState(row, what === null ? "saving" : "unsaved");
      }
    }
    if (what === null) return;
    const n = what.count;
    const again = what.seconds === null ? "" : ` Trying again in ${what.seconds} s.`;
    banner.querySelector("span").textContent = `${n} ${n === 1 ? "act is" : "acts are"} not saved yet. ${what.sentence}${again}`;
  };

  const paintProgress = (progress) => {
    find("[data-progress=labeled]").textContent = progress.n_labeled.toLocaleString("en");
    find("[data-progress=decided]").textContent = progress.n_decided.toLocaleString("en");
    find("#progress").value = progress.n_decided;
    find("#finished").hidden = progress.n_decided < progress.n_records;
    const counts = new Map(progress.by_label.map((each) => [String(each.label_id), each.n]));
    for (const place of root.querySelectorAll("[data-count]")) {
      place.textContent = counts.get(place.dataset.count) ?? "";
    }
  };

  // --- saying something ------------------------------------------------------------------------

  const standing = (row) => ({ verdict: row.dataset.verdict, labels: rows.labelsOf(row) });

  const sayOf = (row, verdict, labels) => {
    const best = rows.suggestionsOf(row)[0];
    return {
      record_id: Number(row.dataset.record),
      verdict,
      label_ids: labels,
      rank: Number(row.dataset.rank),
      similarity: row.dataset.similarity === undefined ? null : Number(row.dataset.similarity),
      suggestion_id: best?.[0] ?? null,
      suggestion_score: best?.[1] ?? null,
      milliseconds: row === rows.focused() ? Math.round(performance.now() - shownAt) : null,
    };
  };

  // what: [[row, verdict, labels], …]; one act, whatever their number.
  const say = (what, source) => {
    const key = newKey();
    const says = what.map(([row, verdict, labels]) => sayOf(row, verdict, labels));
    const before = Object.fromEntries(what.map(([row]) => [row.dataset.record, standing(row)]));
    const records = says.map((each) => each.record_id);
    for (const [row, verdict, labels] of what) {
      rows.paint(row, verdict, labels);
      rows.setState(row, "saving");
    }
    done.push({ key, before, after: Object.fromEntries(what.map(([row, verdict, labels]) => [row.dataset.record, { verdict, labels }])) });
    undone.length = 0;
    const body = { key, session_id: sessionId, source, says };
    outbox.add({ id: key, at: Date.now(), kind: "label", url: `${api}/annotations`, body, records, before });
    tell(what.length === 1 ? wordsOf(what[0]) : `${what.length} records`);
  };

  const wordsOf = ([, verdict, labels]) =>
    verdict === "label" ? labels.map((id) => find(`#legend [data-label="${id}"] .name`)?.textContent ?? "").join(", ") : verdict.replace("_", " ");

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
    say(chosen.map((row) => [row, verdict, labels]), isPage ? "page" : "single");
    if (isPage) toast(`${chosen.length} records: ${wordsOf([null, verdict, labels])}.`);
    rows.clearSelection();
    rows.moveOn(last, wasDecided);
  };

  const pendingOf = (row) => row.dataset.pending?.split(" ").filter(Boolean).map(Number);

  const toggle = (labelId) => {
    for (const row of meant()) {
      const now = new Set(pendingOf(row) ?? (row.dataset.verdict === "label" ? rows.labelsOf(row) : []));
      if (!now.delete(labelId)) now.add(labelId);
      rows.paintPending(row, [...now].sort((a, b) => a - b));
    }
    markLegend(rows.focused());
  };

  const acceptedLabels = (row) => {
    if (row.dataset.pending !== undefined) return pendingOf(row);
    const suggested = rows.suggestionsOf(row).map(([id]) => id);
    return isMulti ? suggested : suggested.slice(0, 1);
  };

  const accept = () => {
    const chosen = meant().filter((row) => acceptedLabels(row).length > 0);
    if (chosen.length === 0) {
      tell("There is no suggestion to accept.");
      return;
    }
    const last = chosen[chosen.length - 1];
    const wasDecided = chosen.length === 1 && rows.isDecided(last);
    const isPage = rows.selected().length > 0;
    say(chosen.map((row) => [row, "label", acceptedLabels(row)]), isPage ? "page" : "single");
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
    say(open.map((row) => [row, "label", acceptedLabels(row)]), "page");
    rows.clearSelection();
    toast(`Accepted ${open.length} ${open.length === 1 ? "suggestion" : "suggestions"}.`);
  };

  const skip = () => {
    const chosen = meant();
    if (chosen.length === 1 && rows.isDecided(chosen[0])) rows.step(1);
    else sayAll("skip", []);
  };

  // --- taking it back --------------------------------------------------------------------------

  const takeBack = (kind) => {
    const [from, to] = kind === "undo" ? [done, undone] : [undone, done];
    const act = from.pop();
    const id = newKey();
    const body = { session_id: sessionId };
    const deed = { id, at: Date.now(), kind, url: `${api}/annotations/${kind}`, body, records: [] };
    hideToast();
    if (act) {
      to.push(act);
      body.act_key = act.key;
      const was = kind === "undo" ? act.before : act.after;
      deed.records = Object.keys(was).map(Number);
      for (const recordId of deed.records) repaint(recordId, was[recordId], act, kind);
      rows.clearSelection();
      rows.focus(rows.ofRecord(deed.records[0]));
    } else {
      deed.isNext = true;
    }
    outbox.add(deed);
    tell(kind === "undo" ? "Undone." : "Done again.");
  };

  const repaint = (recordId, was, act, kind) => {
    const row = rows.ofRecord(recordId);
    if (!row) return;
    if (act.remark === "flag") rows.paintFlag(row, kind === "redo");
    else if (act.remark === "comment") row.querySelector(`[data-comment="${act.key}"]`)?.toggleAttribute("hidden", kind === "undo");
    else rows.paint(row, was.verdict, was.labels);
    rows.setState(row, "saving");
  };

  // --- remarks ---------------------------------------------------------------------------------

  const remark = (row, kind, text) => {
    const key = newKey();
    const record = Number(row.dataset.record);
    const body = { key, session_id: sessionId, record_id: record, kind, body: text };
    const now = { [record]: standing(row) };
    const isOff = kind === "flag" && row.dataset.flagged === "yes";
    if (kind === "flag") rows.paintFlag(row, !isOff);
    else addComment(row, key, text);
    if (!isOff) done.push({ key, before: now, after: now, remark: kind });
    if (!isOff) undone.length = 0;
    rows.setState(row, "saving");
    outbox.add({ id: key, at: Date.now(), kind: "remark", url: `${api}/remarks`, body, records: [record] });
  };

  const addComment = (row, key, text) => {
    const span = document.createElement("span");
    span.className = "comment";
    span.dataset.comment = key;
    span.textContent = `“${text}”`;
    row.querySelector(".about").append(span);
  };

  const comment = async () => {
    const row = rows.focused();
    if (!row) return;
    const text = await dialogs.ask();
    if (text) remark(row, "comment", text);
    rows.focus(row);
  };

  // --- around the rows -------------------------------------------------------------------------

  const markLegend = (row) => {
    const on = row ? (pendingOf(row) ?? (row.dataset.verdict === "label" ? rows.labelsOf(row) : [])) : [];
    for (const button of root.querySelectorAll("#legend [data-label]")) {
      button.setAttribute("aria-pressed", String(on.includes(Number(button.dataset.label))));
    }
  };

  const onFocus = (row) => {
    shownAt = performance.now();
    markLegend(row);
    find("#card-place").textContent = `${Number(row.dataset.rank) + 1} of ${root.dataset.records}`;
    const loaded = rows.all();
    if (loaded.length - loaded.indexOf(row) < 30) loadMore();
  };

  let isLoading = false;
  const loadMore = async () => {
    const more = find("#more");
    if (isLoading || !more) return;
    isLoading = true;
    const blocks = root.querySelectorAll("#rows .rows");
    const start = Number(blocks[blocks.length - 1].dataset.start) + Number(root.dataset.page);
    try {
      const response = await fetch(`/projects/${project}/sessions/${session}/rows?start=${start}`);
      if (!response.ok) return;
      const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
      find("#rows").append(document.importNode(parsed.querySelector(".rows"), true));
      if (start + Number(root.dataset.page) >= Number(root.dataset.records)) more.remove();
    } catch {
      // The link below the rows stays, and the next move tries again.
    } finally {
      isLoading = false;
    }
  };

  let toastTimer = null;
  const toast = (sentence) => {
    const place = find("#toast");
    place.querySelector("span").textContent = sentence;
    place.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(hideToast, 8000);
  };
  const hideToast = () => (find("#toast").hidden = true);

  const whenSaved = async () => {
    for (let i = 0; i < 20 && !outbox.isEmpty; i += 1) await new Promise((resolve) => setTimeout(resolve, 75));
  };

  const startFromHere = async () => {
    const form = find("#from-here");
    const chosen = meant();
    form.elements.seed_kind.value = chosen.length > 1 ? "selection" : "record";
    form.elements.record_ids.value = chosen.map((row) => row.dataset.record).join(",");
    await whenSaved();
    form.requestSubmit();
  };

  const addLabel = async (form) => {
    const response = await fetch(`${api}/labels`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ name: form.elements.name.value }),
    }).catch(() => null);
    if (!response?.ok) {
      const problem = await response?.json().catch(() => null);
      window.likewise.notice(problem?.title ?? "The label was not added: the server cannot be reached.", "bad");
      return;
    }
    await whenSaved();
    const url = new URL(location.href);
    url.searchParams.set("at", rows.focused()?.dataset.rank ?? 0);
    location.assign(url);
  };

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
    undo: () => takeBack("undo"),
    redo: () => takeBack("redo"),
    next: () => rows.step(1),
    previous: () => rows.step(-1),
    first: () => rows.focus(rows.all()[0]),
    last: () => rows.focus(rows.all().at(-1)),
    select,
    invert: rows.invert,
    clear: rows.clearSelection,
    similar: startFromHere,
    flag: () => rows.focused() && remark(rows.focused(), "flag", ""),
    comment,
    search,
    help: dialogs.showHelp,
    save_now: () => outbox.sendNow(),
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
      setView(link.dataset.viewLink);
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
      addLabel(form);
    }
  });

  window.addEventListener("beforeunload", (event) => {
    if (root.querySelector(".say-row[data-pending]")) event.preventDefault();
  });

  // --- begin -----------------------------------------------------------------------------------

  keys.paintCaps(document);
  root.classList.add("is-scripted");
  for (const deed of outbox.waiting) {
    for (const each of deed.kind === "label" && deed.body.session_id === sessionId ? deed.body.says : []) {
      const row = rows.ofRecord(each.record_id);
      if (row) rows.paint(row, each.verdict, each.label_ids);
      if (row) rows.setState(row, "unsaved");
    }
  }
  const first = rows.focused();
  if (first) rows.focus(rows.isDecided(first) && !location.search.includes("at=") ? (rows.all().find((row) => !rows.isDecided(row)) ?? first) : first);
  outbox.sendNow();
})();
