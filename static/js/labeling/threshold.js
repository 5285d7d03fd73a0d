// All undecided rows at or above a similarity, or suggested with at least some chance: selected by
// two sliders, through the whole session. Then any label key or accept is one action about them.
import { showNotice } from "../notice.js";

export const createThreshold = (root, rowCache, rows, rowView) => {
  const { project, session } = root.dataset;
  const panel = root.querySelector("#threshold");
  const words = panel.querySelector("output");
  const sliders = { similarity: panel.querySelector("[name=similarity]"), score: panel.querySelector("[name=score]") };
  let outline = null;
  let wish = 0;

  const read = async () => {
    const response = await fetch(`/projects/${project}/sessions/${session}/outline`).catch(() => null);
    if (!response?.ok) return false;
    const { ranks, similarity, score } = await response.json();
    outline = ranks.map((rank, i) => ({ rank, similarity: similarity[i], score: score[i] }));
    return true;
  };

  // What the page knows better: rows decided a moment ago, suggestions renewed since.
  const present = () =>
    outline.flatMap((line) => {
      const row = rowCache.ofRank(line.rank);
      if (!row) return [line];
      if (rowView.isDecided(row)) return [];
      return [{ ...line, score: rowView.suggestionsOf(row)[0]?.[1] ?? null }];
    });

  const setUp = (name, lines) => {
    const known = lines.map((line) => line[name]).filter((value) => value !== null);
    const slider = sliders[name];
    slider.closest("label").hidden = known.length === 0;
    slider.min = String(shownAs(known.reduce((a, b) => Math.min(a, b), 1)));
    slider.max = String(shownAs(known.reduce((a, b) => Math.max(a, b), 0) + 0.01));
    slider.value = slider.max;
  };

  const caption = (name) => {
    const slider = sliders[name];
    const value = Number(slider.value);
    const isAll = slider.value === slider.min;
    // One step above the highest: a slider stands there until it is moved, and selects nothing.
    const isNone = !isAll && slider.value === slider.max;
    const shown = isNone ? "–" : name === "score" ? `${Math.round(100 * value)} %` : value.toFixed(2);
    slider.closest("label").querySelector("b").textContent = isAll ? "any" : shown;
    slider.setAttribute("aria-valuetext", isAll ? "any" : isNone ? "none" : shown);
  };

  // As the rows show them: what reads 0.59 is at least 0.59.
  const shownAs = (value) => Number(value.toFixed(2));

  // A slider at its lowest asks for nothing: where neither asks, all of them are meant.
  const matching = () => {
    const limits = Object.entries(sliders).filter(([, slider]) => !slider.closest("label").hidden && slider.value !== slider.min);
    return present()
      .filter((line) => limits.every(([name, slider]) => line[name] !== null && shownAs(line[name]) >= Number(slider.value)))
      .map((line) => line.rank);
  };

  const count = (n, nLeftOut) => {
    const rest = nLeftOut > 0 ? ` One action can include at most ${(n - nLeftOut).toLocaleString("en")} of them.` : "";
    words.textContent = `${n.toLocaleString("en")} of ${present().length.toLocaleString("en")} undecided rows selected.${rest}`;
  };

  const select = async () => {
    Object.keys(sliders).forEach(caption);
    const mine = (wish += 1);
    const ranks = matching();
    words.textContent = `${ranks.length.toLocaleString("en")} rows …`;
    const nLeftOut = await rows.selectRanks(ranks, () => mine === wish);
    if (mine === wish) count(ranks.length, nLeftOut);
  };

  const open = async () => {
    if (!(await read())) {
      showNotice("The rows could not be counted: the server cannot be reached.", "bad");
      return;
    }
    const lines = present();
    for (const name of Object.keys(sliders)) setUp(name, lines);
    // What a session is about comes first: the other slider begins at "any".
    const [lead, other] = sliders.similarity.closest("label").hidden ? ["score", "similarity"] : ["similarity", "score"];
    sliders[other].value = sliders[other].min;
    Object.keys(sliders).forEach(caption);
    panel.hidden = false;
    const isEmpty = sliders[lead].closest("label").hidden;
    panel.querySelector("span.soft").hidden = isEmpty;
    if (isEmpty) words.textContent = "These rows have neither a similarity nor a suggestion.";
    else {
      words.textContent = "Move a slider to the left to select rows.";
      sliders[lead].focus();
    }
  };

  const close = () => {
    panel.hidden = true;
    rows.clearSelection();
    rows.focus(rows.focused());
  };

  panel.addEventListener("input", select);
  panel.querySelector("[data-close-threshold]").addEventListener("click", close);

  return {
    toggle: () => (panel.hidden ? open() : close()),
    // Ranks of all open rows that something is suggested for; null where it cannot be asked.
    async suggested() {
      if (!(await read())) return null;
      return present().filter((line) => line.score !== null).map((line) => line.rank);
    },
    // After an action, the counts begin anew from what is still open.
    refresh() {
      if (panel.hidden) return;
      Object.keys(sliders).forEach(caption);
      words.textContent = `Undecided rows left: ${present().length.toLocaleString("en")}.`;
    },
  };
};
