// The open session, ordered anew by what was labeled in it: rows below the focused one move, the
// focused one and those above stay. Their ranks in the frozen order are kept with every label.
const AHEAD = 150;

export const createReranking = (root, tools) => {
  const { rowCache, virtualRows, rows, rowView, viewSettings, announcer, progress } = tools;
  const { project, session } = root.dataset;
  const marker = root.querySelector("#reranked");
  const divider = root.querySelector("#divider").content.firstElementChild;
  const frozen = [...virtualRows.order];
  let latest = null;
  let since = 0;
  let isLate = false;

  const ask = async () => {
    const url = `/api/v1/projects/${project}/sessions/${session}/order`;
    const response = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok) return; // The order that stands goes on; the next labels ask again.
    latest = await response.json();
    frozen.forEach((rank) => {
      const row = rowCache.ofRank(rank);
      if (row) suggest(row);
    });
    await apply();
  };

  const suggest = (row) => {
    const now = latest?.suggestions[row.dataset.rank];
    if (now && !rowView.isDecided(row) && row.dataset.pending === undefined) rowView.suggest(row, now);
  };

  // Undecided rows below the focused one take the places of undecided rows, in the new order.
  const ordered = () => {
    const focused = virtualRows.positionOf(rows.focused());
    const wanted = viewSettings.isReranked && latest.is_reranked ? latest.order : frozen;
    const listed = new Set(latest.order);
    const moves = (rank, position) => position > focused && listed.has(rank) && isOpen(rank);
    const free = new Set(virtualRows.order.filter(moves));
    const coming = wanted.filter((rank) => free.has(rank));
    let at = 0;
    return virtualRows.order.map((rank) => (free.has(rank) ? coming[at++] : rank));
  };

  const isOpen = (rank) => {
    const row = rowCache.ofRank(rank);
    return !row || (!rowView.isDecided(row) && row.dataset.pending === undefined);
  };

  const moved = (order) => order.some((rank, position) => rank !== virtualRows.order[position]);

  const rearrange = async () => {
    const start = Math.max(virtualRows.positionOf(rows.focused()) - AHEAD, 0);
    await rowCache.need(ordered().slice(start, start + 2 * AHEAD));
    // Meanwhile the focus may have moved on: what is above it now stays, too.
    if (!rows.isSelecting) virtualRows.reorder(ordered());
  };

  const apply = async () => {
    if (!latest || root.dataset.spotCheck === "yes" || !rows.focused()) return;
    isLate = rows.isSelecting;
    if (isLate) return;
    if (moved(ordered())) await rearrange();
    showMarker();
    showDivider();
  };

  const showMarker = () => {
    const n = latest.n_learned;
    marker.hidden = !(latest.is_reranked && viewSettings.isReranked);
    marker.textContent = n > 0 ? `re-ranked after ${n} ${n === 1 ? "label" : "labels"}` : "re-ranked";
  };

  // The line stands before the first of the rows to come that falls below the proposed end.
  const showDivider = () => {
    const isShown = latest.cut !== null && (viewSettings.isReranked || !latest.is_reranked);
    const below = isShown ? new Set(latest.order.slice(latest.cut)) : null;
    const focused = virtualRows.positionOf(rows.focused());
    const isBelow = (rank, position) => position > focused && below.has(rank) && isOpen(rank);
    const place = below ? virtualRows.order.findIndex(isBelow) : -1;
    if (place < 1) {
      virtualRows.setDivider(null, divider);
      return;
    }
    divider.querySelector("span").textContent = latest.cut_sentence;
    divider.querySelector("button").textContent = `Select the ${above().length} rows above`;
    virtualRows.setDivider(place - 1, divider);
  };

  const above = () => latest.order.slice(0, latest.cut).filter(isOpen);

  divider.querySelector("button").addEventListener("click", async () => {
    await rows.selectRanks(above());
    rows.focused()?.focus({ preventScroll: true });
  });

  rowCache.dress(suggest);
  viewSettings.onRerank(async () => {
    await apply();
    announcer.announce(viewSettings.isReranked ? "Rows below are re-ranked as you label." : "Re-ranking is off.");
  });

  return {
    ask,
    changed(n) {
      since += n;
      if (since < progress.every) return;
      since = 0;
      ask();
    },
    // A selection holds the rows where they are; afterwards they may move.
    released: () => isLate && apply(),
  };
};
