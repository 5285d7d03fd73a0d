// Annotations and comments: shown at once, called saved once the server has them, undone at will.
import { showNotice } from "../notice.js";
import { createOutbox } from "./outbox.js";

export const createAnnotations = (root, rowCache, rows, rowView, progress, announcer) => {
  const { project, session, user } = root.dataset;
  const api = `/api/v1/projects/${project}`;
  const sessionId = Number(session);
  const next = { undo: Number(root.dataset.undo) || null, redo: Number(root.dataset.redo) || null };
  const SAVED = { label: "Saved", comment: "Saved", accept: "Accepted", undo: "Undone", redo: "Redone" };
  const done = [];
  const undone = [];
  const newKey = () =>
    crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");

  // --- what happens to an action on its way -------------------------------------------------------

  const recordsOf = (entry) => entry.records ?? [];

  // An undo of something older than this page: by now the server has named it.
  const prepare = (entry) => {
    if (!entry.isNext) return true;
    entry.body.action_id ??= next[entry.kind];
    if (entry.body.action_id) return true;
    announcer.toast(`There is nothing to ${entry.kind}.`, false);
    return false;
  };

  const isWaiting = (recordId) => outbox.waiting.some((entry) => recordsOf(entry).includes(recordId));

  const onSaved = (entry, answer) => {
    next.undo = answer.undo_id;
    next.redo = answer.redo_id;
    const n = answer.records.length;
    if ((entry.session ?? entry.body.session_id) === sessionId) progress.saved(answer.progress, entry.gained ?? 0, n);
    for (const record of answer.records) settle(record, entry.kind === "undo" ? "undone" : "saved");
    announcer.announce(SAVED[entry.kind] + (entry.words ? `: ${entry.words}.` : "."));
    if (entry.kind === "accept") announcer.toast(`Accepted ${n.toLocaleString("en")} ${n === 1 ? "suggestion" : "suggestions"}.`);
    if (entry.kind !== "comment") progress.changed(n);
    if (entry.isNext && n > 0) rows.comeBack(answer.records.map((each) => each.record_id));
  };

  const settle = (record, words) => {
    const row = rowCache.ofRecord(record.record_id);
    if (!row || isWaiting(record.record_id)) return;
    if (row.dataset.pending === undefined) rowView.showAnnotation(row, record.verdict, record.label_ids);
    rowView.flag(row, record.is_flagged);
    rowView.agreement(row, record.consensus);
    rowView.state(row, "saved", words);
  };

  const onRefused = (entry, sentence) => {
    for (const actions of [done, undone]) actions.splice(0, actions.length, ...actions.filter((action) => action.key !== entry.id));
    for (const id of recordsOf(entry)) {
      const row = rowCache.ofRecord(id);
      if (!row) continue;
      const before = entry.before?.[id];
      if (before) rowView.showAnnotation(row, before.verdict, before.labels);
      rowView.state(row, "refused");
    }
    showNotice(`Not ${entry.kind === "accept" ? "accepted" : "saved"}: ${sentence}`, "bad");
  };

  const onTrouble = (what) => {
    for (const id of outbox.waiting.flatMap(recordsOf)) {
      const row = rowCache.ofRecord(id);
      if (row) rowView.state(row, what === null ? "saving" : "unsaved");
    }
    announcer.trouble(what);
  };

  // --- annotating -----------------------------------------------------------------------------

  const readAnnotation = (row) => ({ verdict: row.dataset.verdict, labels: rowView.labelsOf(row) });

  const buildVote = (row, verdict, labels, shownAt) => {
    const best = rowView.suggestionsOf(row)[0];
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

  // what: [[row, verdict, labels], …]; one action, whatever their number. more: to send with them.
  const annotate = (what, source, shownAt, more = {}) => {
    const key = newKey();
    const votes = what.map(([row, verdict, labels]) => buildVote(row, verdict, labels, shownAt));
    const before = Object.fromEntries(what.map(([row]) => [row.dataset.record, readAnnotation(row)]));
    const records = votes.map((each) => each.record_id);
    for (const [row, verdict, labels] of what) {
      rowView.showAnnotation(row, verdict, labels);
      rowView.state(row, "saving");
    }
    done.push({ key, before, after: Object.fromEntries(what.map(([row, verdict, labels]) => [row.dataset.record, { verdict, labels }])) });
    undone.length = 0;
    const body = { key, session_id: sessionId, source, votes, ...more };
    const words = what.length === 1 ? wordsOf(what[0]) : `${what.length} records`;
    const gained = records.length - nDecided(before);
    outbox.add({ id: key, at: Date.now(), kind: "label", url: `${api}/annotations`, body, records, before, gained, words });
  };

  const nDecided = (annotations) => Object.values(annotations).filter((each) => each.verdict !== "").length;

  const wordsOf = ([, verdict, labels]) =>
    verdict === "label" ? labels.map(rowView.nameOf).join(", ") : verdict.replace("_", " ");

  // All that is suggested in the session, after the annotations before. The page stays: what is
  // pressed next, an undo above all, follows in the same line.
  const acceptSession = () => {
    if (outbox.waiting.some((entry) => entry.kind === "accept")) return;
    const key = newKey();
    done.push({ key, before: {}, after: {} });
    undone.length = 0;
    const url = `${api}/sessions/${sessionId}/accept`;
    const body = { key, min_score: Number(root.querySelector("#accept-all [name=min_score]").value) };
    outbox.add({ id: key, at: Date.now(), kind: "accept", url, body, session: sessionId });
  };

  // --- taking it back --------------------------------------------------------------------------

  const takeBack = (kind) => {
    const [from, to] = kind === "undo" ? [done, undone] : [undone, done];
    const action = from.pop();
    const id = newKey();
    const body = { session_id: sessionId };
    const entry = { id, at: Date.now(), kind, url: `${api}/annotations/${kind}`, body, records: [] };
    announcer.hideToast();
    if (action) {
      to.push(action);
      body.action_key = action.key;
      const was = kind === "undo" ? action.before : action.after;
      entry.records = Object.keys(was).map(Number);
      entry.gained = nDecided(was) - nDecided(kind === "undo" ? action.after : action.before);
      if (!action.comment) entry.was = was;
      for (const recordId of entry.records) repaint(recordId, was[recordId], action, kind);
      rows.clearSelection();
      if (entry.records.length > 0) rows.comeBack(entry.records);
    } else {
      entry.isNext = true;
    }
    outbox.add(entry);
  };

  const repaint = (recordId, was, action, kind) => {
    const row = rowCache.ofRecord(recordId);
    if (!row) return;
    if (action.comment === "flag") rowView.flag(row, kind === "redo");
    else if (action.comment === "comment") row.querySelector(`[data-comment="${action.key}"]`)?.toggleAttribute("hidden", kind === "undo");
    else rowView.showAnnotation(row, was.verdict, was.labels);
    rowView.state(row, "saving");
  };

  // --- comments ---------------------------------------------------------------------------------

  const comment = (row, kind, text) => {
    const key = newKey();
    const record = Number(row.dataset.record);
    const body = { key, session_id: sessionId, record_id: record, kind, body: text };
    const now = { [record]: readAnnotation(row) };
    const isOff = kind === "flag" && row.dataset.flagged === "yes";
    if (kind === "flag") rowView.flag(row, !isOff);
    else addComment(row, key, text);
    if (!isOff) done.push({ key, before: now, after: now, comment: kind });
    if (!isOff) undone.length = 0;
    rowView.state(row, "saving");
    outbox.add({ id: key, at: Date.now(), kind: "comment", url: `${api}/comments`, body, records: [record] });
  };

  const addComment = (row, key, text) => {
    const span = document.createElement("span");
    span.className = "comment";
    span.dataset.comment = key;
    span.textContent = `“${text}”`;
    row.querySelector(".about").append(span);
  };

  const outbox = createOutbox(user, {
    prepare,
    saved: onSaved,
    refused: onRefused,
    trouble: onTrouble,
  });

  // A row that is loaded while something about it waits: shown as annotated, and as not saved.
  rowCache.dress((row) => {
    const id = Number(row.dataset.record);
    for (const entry of outbox.waiting) {
      if (entry.body.session_id !== sessionId) continue;
      const vote = entry.body.votes?.find((each) => each.record_id === id);
      const was = vote ? { verdict: vote.verdict, labels: vote.label_ids } : entry.was?.[id];
      if (!was) continue;
      rowView.showAnnotation(row, was.verdict, was.labels);
      rowView.state(row, "unsaved");
    }
  });

  // Answers whether all is saved: where it is not, the browser asks before the page is left.
  const whenSaved = async () => {
    for (let i = 0; i < 20 && !outbox.isEmpty; i += 1) await new Promise((resolve) => setTimeout(resolve, 75));
    return outbox.isEmpty && !rowCache.isPending;
  };

  return { annotate, acceptSession, takeBack, comment, wordsOf, whenSaved, sendNow: () => outbox.sendNow() };
};
