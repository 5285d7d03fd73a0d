// What each key and button of the labeling page does.
import { createBulkAccept } from "./bulk_accept.js";

export const createCommands = (root, parts) => {
  const { rows, rowView, annotations, dialogs, viewSettings, texts, threshold, announcer, clock } = parts;
  const { project } = root.dataset;
  const isMulti = root.dataset.multi === "yes";

  // The selection if there is one, else the focused row.
  const meant = () => {
    const chosen = rows.selected();
    return chosen.length > 0 ? chosen : [rows.focused()].filter(Boolean);
  };

  // what: [[row, verdict, labels], …], as one action.
  const annotate = (what) => {
    if (what.length === 0) return;
    const last = what[what.length - 1][0];
    const wasDecided = what.length === 1 && rowView.isDecided(last);
    const isPage = rows.selected().length > 0;
    annotations.annotate(what, isPage ? "page" : "single", clock.shownAt);
    if (isPage) announcer.toast(sentenceOf(what));
    rows.clearSelection();
    threshold.refresh();
    rows.moveOn(last, wasDecided);
  };

  const sentenceOf = (what) => {
    const words = new Set(what.map(annotations.wordsOf));
    const records = `${what.length.toLocaleString("en")} ${what.length === 1 ? "record" : "records"}`;
    return words.size === 1 ? `${records}: ${[...words][0]}.` : `${records}: as suggested.`;
  };

  const annotateAll = (verdict, labels) => annotate(meant().map((row) => [row, verdict, labels]));

  const toggle = (labelId) => {
    for (const row of meant()) {
      const now = new Set(rowView.pendingOf(row) ?? rowView.labelsOf(row));
      if (!now.delete(labelId)) now.add(labelId);
      const labels = [...now].sort((a, b) => a - b);
      // Switched back to the annotation before: then nothing waits for Enter.
      if (labels.join(" ") === row.dataset.labels) rowView.unpending(row);
      else rowView.pending(row, labels);
    }
    markLegend(rows.focused());
  };

  const label = (labelId) => {
    if (isMulti) toggle(labelId);
    else annotateAll("label", [labelId]);
  };

  const acceptedLabels = (row) => {
    if (row.dataset.pending !== undefined) return rowView.pendingOf(row);
    const suggested = rowView.suggestionsOf(row).map(([id]) => id);
    return isMulti ? suggested : suggested.slice(0, 1);
  };

  // All labels switched off is an annotation, too.
  const acceptedAnnotation = (row) => {
    const labels = acceptedLabels(row);
    return [row, labels.length > 0 ? "label" : "none", labels];
  };

  const acceptPage = createBulkAccept(root, { rows, rowView, annotations, threshold, announcer, clock, acceptedLabels });

  // What was switched on is saved. A suggestion is accepted on open rows only, several together
  // like the rest of the session.
  const accept = () => {
    const chosen = meant();
    const switched = chosen.filter((row) => row.dataset.pending !== undefined);
    if (switched.length > 0) annotate(switched.map(acceptedAnnotation));
    else if (chosen.length > 1) acceptPage();
    else chosen.forEach(acceptOne);
  };

  const acceptOne = (row) => {
    if (rowView.isDecided(row)) {
      announcer.toast("This row is already decided. Press a label’s key to change it.", false);
      rows.step(1);
    } else if (acceptedLabels(row).length === 0) announcer.toast("This row has no suggestion to accept.", false);
    else annotate([acceptedAnnotation(row)]);
  };

  const skip = () => {
    const chosen = meant();
    if (chosen.length === 1 && rowView.isDecided(chosen[0])) rows.step(1);
    else annotateAll("skip", []);
  };

  const comment = async () => {
    const row = rows.focused();
    if (!row) return;
    const text = await dialogs.ask();
    if (text) annotations.comment(row, "comment", text);
    rows.focus(row);
  };

  const markLegend = (row) => {
    const on = row ? (rowView.pendingOf(row) ?? rowView.labelsOf(row)) : [];
    for (const button of root.querySelectorAll("#legend [data-label]")) {
      button.setAttribute("aria-pressed", String(on.includes(Number(button.dataset.label))));
    }
  };

  const startFromHere = async () => {
    const form = root.querySelector("#from-here");
    const chosen = meant();
    form.elements.seed_kind.value = chosen.length > 1 ? "selection" : "record";
    form.elements.record_ids.value = chosen.map((row) => row.dataset.record).join(",");
    await annotations.whenSaved();
    form.requestSubmit();
  };

  const select = () => {
    if (rows.anchor) rows.clearSelection();
    else rows.startRange(rows.focused());
  };

  // The words that follow are sought for on the page of records, and no keys here.
  const search = async () => {
    const { heldKeys } = window.likewise;
    heldKeys.carry("records", "/");
    if (!(await annotations.whenSaved())) heldKeys.stay();
    location.assign(`/projects/${project}/records`);
  };

  const map = async () => {
    await annotations.whenSaved();
    location.assign(`/projects/${project}/map?record=${rows.focused()?.dataset.record ?? ""}`);
  };

  const commands = {
    label,
    accept,
    accept_page: acceptPage,
    accept_session: annotations.acceptSession,
    none: () => annotateAll("none", []),
    skip,
    not_similar: () => annotateAll("not_similar", []),
    undo: () => annotations.takeBack("undo"),
    redo: () => annotations.takeBack("redo"),
    next: () => rows.step(1),
    previous: () => rows.step(-1),
    first: rows.first,
    last: rows.last,
    select,
    invert: rows.invert,
    clear: rows.clearSelection,
    threshold: threshold.toggle,
    similar: startFromHere,
    flag: () => rows.focused() && annotations.comment(rows.focused(), "flag", ""),
    comment,
    whole: () => texts.whole(rows.focused()),
    fields: () => texts.fields(rows.focused()),
    copies: () => texts.copies(rows.focused()),
    differences: viewSettings.differences,
    map,
    search,
    help: dialogs.showHelp,
    save_now: () => annotations.sendNow(),
  };
  return { commands, markLegend };
};
