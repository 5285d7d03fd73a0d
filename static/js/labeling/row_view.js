// What is painted on a row: its annotation, whether it is saved, what is suggested.
const STATES = { saving: "saving…", saved: "saved", unsaved: "not saved", refused: "refused", pending: "Enter to save" };

export const createRowView = (root) => {
  const chips = () => root.querySelector("#chips").content;
  const isDecided = (row) => row.dataset.verdict !== "";
  const labelsOf = (row) => row.dataset.labels.split(" ").filter(Boolean).map(Number);
  const pendingOf = (row) => row.dataset.pending?.split(" ").filter(Boolean).map(Number);
  const suggestionsOf = (row) =>
    row.dataset.suggestions.split(" ").filter(Boolean).map((each) => each.split(":").map(Number));

  const chip = (id) => chips().querySelector(`[data-chip="${id}"]`)?.cloneNode(true) ?? document.createTextNode("?");
  const nameOf = (id) => chips().querySelector(`[data-chip="${id}"] .name`)?.textContent ?? "";

  const words = (text, className = "quietly") => {
    const span = document.createElement("span");
    span.className = className;
    span.textContent = text;
    return span;
  };

  const shown = (verdict, labels) => {
    if (verdict === "label") return labels.map(chip);
    if (verdict === "none") return [chip("none")];
    if (verdict === "skip") return [words("skipped")];
    return verdict === "not_similar" ? [words("not similar")] : [];
  };

  const showAnnotation = (row, verdict, labels) => {
    row.dataset.verdict = verdict;
    row.dataset.labels = labels.join(" ");
    delete row.dataset.pending;
    row.querySelector(".own").replaceChildren(...shown(verdict, labels));
  };

  const state = (row, now, words = STATES[now] ?? "") => {
    row.dataset.state = now;
    row.querySelector(".state").textContent = words;
  };

  const pending = (row, labels) => {
    row.dataset.pending = labels.join(" ");
    row.querySelector(".own").replaceChildren(...labels.map(chip));
    state(row, "pending");
  };

  const unpending = (row) => {
    showAnnotation(row, row.dataset.verdict, labelsOf(row));
    state(row, "");
  };

  const flag = (row, isFlagged) => {
    row.dataset.flagged = isFlagged ? "yes" : "";
    row.querySelector(".flag").hidden = !isFlagged;
  };

  // Where the votes of others differ.
  const agreement = (row, consensus) => {
    row.querySelector(".tie").hidden = consensus.length > 0 || row.querySelector(".other") === null;
  };

  const suggestion = ([id, score]) => {
    const made = words("", "suggestion");
    made.title = "Suggested label and the probability that it is correct";
    const marked = chip(id);
    marked.classList?.add("is-suggested");
    made.append(marked, words(`${Math.round(100 * score)} %`, "score-words"));
    return made;
  };

  // suggestions: [[label id, score], …], best first.
  const suggest = (row, suggestions) => {
    const now = suggestions.map(([id, score]) => `${id}:${Number(score.toFixed(4))}`).join(" ");
    if (now === row.dataset.suggestions) return;
    row.dataset.suggestions = now;
    row.querySelector(".suggested").replaceChildren(...suggestions.map(suggestion));
  };

  return { isDecided, labelsOf, pendingOf, suggestionsOf, nameOf, chip, showAnnotation, state, pending, unpending, flag, agreement, suggest };
};
