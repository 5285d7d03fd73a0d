// Moving through the rows and choosing some of them.
import { showNotice } from "../notice.js";

const MOST_AT_ONCE = 1000;

export const createRows = (root, rowCache, virtualRows, rowView, events) => {
  const chosen = new Set();
  let current = root.querySelector(".record-row[data-focused]");
  let anchor = null;

  const { isDecided } = rowView;
  const inOrder = (rows) => [...rows].sort((a, b) => virtualRows.positionOf(a) - virtualRows.positionOf(b));
  const selected = () => inOrder(chosen);

  // --- focus -----------------------------------------------------------------------------------

  const focus = (row, takesFocus = true) => {
    if (!row) return;
    if (!row.isConnected) {
      virtualRows.reveal(virtualRows.positionOf(row), focus);
      return;
    }
    if (current && current !== row) {
      current.removeAttribute("data-focused");
      current.tabIndex = -1;
    }
    current = row;
    row.setAttribute("data-focused", "");
    row.tabIndex = 0;
    if (takesFocus) row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    virtualRows.lookAround(virtualRows.positionOf(row));
    if (anchor) selectRange(anchor, row);
    events.focused(row);
  };

  const goTo = (position, by) => {
    let at = position;
    while (virtualRows.isGone(at)) at += by;
    if (at >= 0 && at < virtualRows.order.length) virtualRows.reveal(at, focus);
  };

  const step = (by) => current && goTo(virtualRows.positionOf(current) + by, by);

  // On to the next row that still needs an annotation; past a decided row, simply to the next. What is
  // not loaded yet is taken to need one.
  const moveOn = (row, wasDecided) => {
    const start = virtualRows.positionOf(row) + 1;
    const last = virtualRows.order.length;
    let at = start;
    while (!wasDecided && at < last && (virtualRows.isGone(at) || (virtualRows.at(at) && isDecided(virtualRows.at(at))))) at += 1;
    if (at < last) goTo(at, 1);
    else if (start < last) goTo(start, 1);
    else focus(row);
  };

  // To the record's row, wherever it stands; what is pressed meanwhile is meant for it.
  const goToRecord = (recordId) => {
    const row = rowCache.ofRecord(recordId);
    if (row) focus(row);
    else virtualRows.hold(rowCache.find(recordId).then(goBack));
  };
  const goBack = (row) => {
    if (row) focus(row);
    else showNotice("Undid an action from outside this session.", "info");
    return row !== null;
  };

  // To the rows of these records: stay, where the focus is on one of them; else the first of them.
  const comeBack = (recordIds) => {
    const known = recordIds.map(rowCache.ofRecord).filter(Boolean);
    const here = known.includes(current) ? current : inOrder(known)[0];
    goToRecord(Number(here?.dataset.record ?? recordIds[0]));
  };

  // --- selection -------------------------------------------------------------------------------

  const mark = (row, isSelected) => {
    row.setAttribute("aria-selected", String(isSelected));
    if (isSelected) chosen.add(row);
    else chosen.delete(row);
  };

  // Exactly these, as far as one action can hold them.
  const choose = (rows) => {
    const some = rows.slice(0, MOST_AT_ONCE);
    const wanted = new Set(some);
    for (const row of [...chosen]) if (!wanted.has(row)) mark(row, false);
    for (const row of some) if (!chosen.has(row)) mark(row, true);
    events.selected(chosen.size, rows.length - some.length);
  };

  const select = (row, isSelected) => {
    mark(row, isSelected && chosen.size < MOST_AT_ONCE);
    events.selected(chosen.size, 0);
  };

  // The rows of these ranks, as many as one action can hold.
  const load = async (ranks) => {
    const some = ranks.slice(0, MOST_AT_ONCE);
    await rowCache.need(some);
    return some.map(rowCache.ofRank).filter(Boolean);
  };

  // Loads them first; answers how many were too many. isWanted: whether it is still wished for.
  const selectRanks = async (ranks, isWanted = () => true) => {
    const some = await load(ranks);
    if (isWanted()) choose(some);
    return Math.max(ranks.length - MOST_AT_ONCE, 0);
  };

  const selectRange = (from, to) => {
    const [low, high] = [virtualRows.positionOf(from), virtualRows.positionOf(to)].sort((a, b) => a - b);
    const ranks = virtualRows.order.slice(low, high + 1);
    if (ranks.every((rank) => rowCache.ofRank(rank))) choose(ranks.map(rowCache.ofRank));
    else selectRanks(ranks);
  };

  const clearSelection = () => {
    anchor = null;
    root.classList.remove("is-selecting");
    if (chosen.size > 0) choose([]);
  };

  const startRange = (row) => {
    anchor = row;
    root.classList.add("is-selecting");
    select(row, true);
  };

  const invert = () => {
    anchor = null;
    choose(virtualRows.loaded().filter((row) => !chosen.has(row) && !isDecided(row)));
  };

  return {
    focus, step, moveOn, comeBack, selected, select, selectRange, selectRanks, clearSelection, startRange, invert,
    load,
    mostAtOnce: MOST_AT_ONCE,
    focused: () => current,
    first: () => goTo(0, 1),
    last: () => goTo(virtualRows.order.length - 1, -1),
    jump: (position) => goTo(Math.min(Math.max(position, 0), virtualRows.order.length - 1), 1),
    // The hundred rows that the focus is in.
    page: () => (current ? virtualRows.around(virtualRows.positionOf(current)) : []),
    get anchor() { return anchor; },
    get isSelecting() { return anchor !== null || chosen.size > 0; },
  };
};
