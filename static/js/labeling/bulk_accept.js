// Suggestions accepted together: only those that are sure enough, and only after the page has shown how
// many rows that takes and how sure they are.
const percent = (score) => `${Math.round(100 * score)} %`;
const counted = (n) => n.toLocaleString("en");

export const createBulkAccept = (root, { rows, rowView, annotations, threshold, announcer, clock, acceptedLabels }) => {
  const dialog = root.querySelector("#accept-rest");
  const choice = dialog.querySelector("[name=min_score]");
  const [all, here] = ["all", "here"].map((value) => dialog.querySelector(`[value=${value}]`));

  const isOpen = (row) => !rowView.isDecided(row) && rowView.suggestionsOf(row).length > 0;
  const scoreOf = (row) => rowView.suggestionsOf(row)[0][1];
  // As the rows show them: what reads 80 % is at least 80 %.
  const sure = (some) => some.filter((row) => Number(scoreOf(row).toFixed(2)) >= Number(choice.value));

  const sentenceOf = (open, nLeftOut) => {
    const taken = sure(open);
    const least = percent(Number(choice.value));
    if (taken.length === 0) return `No open suggestion has a probability of at least ${least}.`;
    const mean = taken.reduce((sum, row) => sum + scoreOf(row), 0) / taken.length;
    const nLeft = open.length - taken.length;
    const left = nLeft > 1 ? ` The other ${counted(nLeft)} stay open.` : nLeft === 1 ? " The other one stays open." : "";
    const rest = nLeftOut > 0 ? ` ${counted(nLeftOut)} more further down ${nLeftOut === 1 ? "is" : "are"} not included.` : "";
    return `Accepts ${counted(taken.length)} of ${counted(open.length)} open ${open.length === 1 ? "suggestion" : "suggestions"}: those with a probability of at least ${least}, ${percent(mean)} on average.${left}${rest} One undo reverts this.`;
  };

  const show = (open, around, nLeftOut) => {
    dialog.querySelector("[role=status]").textContent = sentenceOf(open, nLeftOut);
    const [n, nHere] = [sure(open).length, sure(around).length];
    all.textContent = `Accept ${counted(n)}`;
    all.disabled = n === 0;
    here.textContent = `Only ${counted(nHere)} near this row`;
    here.hidden = nHere === 0 || nHere === n;
  };

  // Answers with the rows to accept; none where the person thought better of it.
  const ask = (open, around, nLeftOut) =>
    new Promise((resolve) => {
      const update = () => show(open, around, nLeftOut);
      const answers = { all: () => sure(open), here: () => sure(around) };
      const close = () => {
        choice.removeEventListener("change", update);
        resolve(answers[dialog.returnValue]?.() ?? []);
      };
      update();
      choice.addEventListener("change", update);
      dialog.addEventListener("close", close, { once: true });
      dialog.returnValue = "";
      dialog.showModal();
    });

  // Every open suggestion of the session, as far as one action can hold them.
  const openRows = async () => {
    const around = rows.page().filter(isOpen);
    const isAllHere = root.dataset.spotCheck === "yes" || Number(root.dataset.records) <= Number(root.dataset.page);
    const ranks = isAllHere ? null : await threshold.suggested();
    if (ranks === null) return [around, around, 0];
    const found = (await rows.load(ranks)).filter(isOpen);
    return [found, around, Math.max(ranks.length - rows.mostAtOnce, 0)];
  };

  // The key that opened the dialog, still held down, must not answer it.
  dialog.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter") event.preventDefault();
  });

  // Of the selection if there is one, else of the session.
  return async () => {
    if (root.dataset.obstacle) {
      announcer.toast(root.dataset.obstacle, false);
      return;
    }
    const chosen = rows.selected();
    const [open, around, nLeftOut] = chosen.length > 0 ? [chosen.filter(isOpen), [], 0] : await openRows();
    if (open.length === 0) {
      announcer.toast("There are no open suggestions to accept.", false);
      return;
    }
    const taken = await ask(open, around, nLeftOut);
    if (taken.length === 0) return;
    const what = taken.map((row) => [row, "label", acceptedLabels(row)]);
    annotations.annotate(what, "page", clock.shownAt, { min_score: Number(choice.value) });
    rows.clearSelection();
    threshold.refresh();
    announcer.toast(`Accepted ${counted(taken.length)} ${taken.length === 1 ? "suggestion" : "suggestions"}.`);
  };
};
