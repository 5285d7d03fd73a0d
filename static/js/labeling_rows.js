// The rows of a session as they stand in the page: focus, selection, and what is painted on them.
(() => {
  const STATES = { saving: "saving…", saved: "saved", unsaved: "not saved", refused: "refused", pending: "Enter saves" };

  window.likewise.rows = (root, onFocus) => {
    const grid = root.querySelector("#rows");
    const chips = root.querySelector("#chips").content;
    const all = () => [...grid.querySelectorAll(".say-row")];
    const focused = () => grid.querySelector(".say-row[data-focused]");
    const ofRecord = (id) => grid.querySelector(`.say-row[data-record="${id}"]`);
    const selected = () => all().filter((row) => row.getAttribute("aria-selected") === "true");
    const isDecided = (row) => row.dataset.verdict !== "";
    const labelsOf = (row) => row.dataset.labels.split(" ").filter(Boolean).map(Number);
    let anchor = null;

    const focus = (row) => {
      if (!row) return;
      const before = focused();
      if (before && before !== row) {
        before.removeAttribute("data-focused");
        before.tabIndex = -1;
      }
      row.setAttribute("data-focused", "");
      row.tabIndex = 0;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
      if (anchor) selectRange(anchor, row);
      onFocus(row);
    };

    const step = (by) => {
      const rows = all();
      const at = rows.indexOf(focused());
      focus(rows[Math.min(Math.max(at + by, 0), rows.length - 1)]);
    };

    // On to the next row that still needs a say; past a decided row, simply to the next.
    const moveOn = (row, wasDecided) => {
      const rows = all();
      const rest = rows.slice(rows.indexOf(row) + 1);
      const open = wasDecided ? rest[0] : (rest.find((each) => !isDecided(each)) ?? rest[0]);
      focus(open ?? row);
    };

    const select = (row, isSelected) => row.setAttribute("aria-selected", String(isSelected));

    const selectRange = (from, to) => {
      const rows = all();
      const [low, high] = [rows.indexOf(from), rows.indexOf(to)].sort((a, b) => a - b);
      rows.forEach((row, i) => select(row, i >= low && i <= high));
    };

    const clearSelection = () => {
      anchor = null;
      root.classList.remove("is-selecting");
      selected().forEach((row) => select(row, false));
    };

    const startRange = (row) => {
      anchor = row;
      root.classList.add("is-selecting");
      select(row, true);
    };

    const invert = () => {
      anchor = null;
      for (const row of all()) {
        const isSelected = row.getAttribute("aria-selected") === "true";
        select(row, !isSelected && !isDecided(row));
      }
    };

    const chip = (id) => chips.querySelector(`[data-chip="${id}"]`)?.cloneNode(true) ?? document.createTextNode("?");

    const words = (text) => {
      const span = document.createElement("span");
      span.className = "quietly";
      span.textContent = text;
      return [span];
    };

    const shown = (verdict, labels) => {
      if (verdict === "label") return labels.map(chip);
      if (verdict === "none") return [chip("none")];
      if (verdict === "skip") return words("skipped");
      return verdict === "not_similar" ? words("not similar") : [];
    };

    const paint = (row, verdict, labels) => {
      row.dataset.verdict = verdict;
      row.dataset.labels = labels.join(" ");
      delete row.dataset.pending;
      row.querySelector(".own").replaceChildren(...shown(verdict, labels));
    };

    const paintPending = (row, labels) => {
      row.dataset.pending = labels.join(" ");
      row.querySelector(".own").replaceChildren(...labels.map(chip));
      setState(row, "pending");
    };

    const unpaintPending = (row) => {
      paint(row, row.dataset.verdict, labelsOf(row));
      setState(row, "");
    };

    const setState = (row, state) => {
      row.dataset.state = state;
      row.querySelector(".state").textContent = STATES[state] ?? "";
    };

    const paintFlag = (row, isFlagged) => {
      row.dataset.flagged = isFlagged ? "yes" : "";
      row.querySelector(".flag").hidden = !isFlagged;
    };

    return {
      all, focused, ofRecord, selected, isDecided, labelsOf, focus, step, moveOn, select, selectRange,
      clearSelection, startRange, invert, paint, paintPending, unpaintPending, setState, paintFlag,
      get anchor() { return anchor; },
      suggestionsOf: (row) =>
        row.dataset.suggestions.split(" ").filter(Boolean).map((each) => each.split(":").map(Number)),
    };
  };
})();
