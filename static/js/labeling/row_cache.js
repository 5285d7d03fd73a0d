// Every row of the session that is loaded, whether it stands in the page or is put aside.
const AT_ONCE = 100;
const MOST_ROWS = 2000;

export const createRowCache = (root) => {
  const { project, session } = root.dataset;
  const rows = new Map(); // rank → row
  const rankOf = new Map(); // record id → rank
  const gone = new Set(); // ranks whose record was deleted
  const dressers = [];

  const adopt = (row) => {
    const rank = Number(row.dataset.rank);
    if (rows.has(rank)) return;
    rows.set(rank, row);
    rankOf.set(Number(row.dataset.record), rank);
    for (const dress of dressers) dress(row);
  };

  const fetchRows = async (query) => {
    const response = await fetch(`/projects/${project}/sessions/${session}/rows?${query}`).catch(() => null);
    if (!response?.ok) return null;
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    return [...parsed.querySelectorAll(".record-row")].map((row) => document.importNode(row, true));
  };

  const missing = (ranks) => ranks.filter((rank) => !rows.has(rank) && !gone.has(rank));
  const forget = (ranks) => missing(ranks).forEach((rank) => gone.add(rank));

  // Has these rows loaded; false where the server could not be reached.
  const need = async (ranks) => {
    const lacking = missing(ranks);
    for (let i = 0; i < lacking.length; i += AT_ONCE) {
      const batch = lacking.slice(i, i + AT_ONCE);
      const found = await fetchRows(`ranks=${batch}`);
      if (found === null) return false;
      found.forEach(adopt);
      forget(batch);
    }
    return true;
  };

  // The row of a record of this session, wherever it stands; null when it is not in it.
  const find = async (recordId) => {
    if (!rows.has(rankOf.get(recordId))) (await fetchRows(`record=${recordId}`))?.forEach(adopt);
    return rows.get(rankOf.get(recordId)) ?? null;
  };

  const isQuiet = (row) =>
    row.dataset.pending === undefined && !["saving", "unsaved"].includes(row.dataset.state) && row.getAttribute("aria-selected") !== "true";

  // What is put aside and has nothing to remember can be loaded again.
  const tidy = () => {
    if (rows.size <= MOST_ROWS) return;
    for (const [rank, row] of rows) if (!row.isConnected && isQuiet(row)) rows.delete(rank);
  };

  return {
    adopt, missing, forget, need, find, tidy,
    isGone: (rank) => gone.has(rank),
    // Whether labels were switched on that Enter has not saved.
    get isPending() { return [...rows.values()].some((row) => row.dataset.pending !== undefined); },
    ofRank: (rank) => rows.get(rank) ?? null,
    ofRecord: (id) => rows.get(rankOf.get(id)) ?? null,
    // Calls back with every row, now or when it comes.
    dress(dresser) {
      dressers.push(dresser);
      rows.forEach((row) => dresser(row));
    },
  };
};
