// The rows in the order they are gone through: a few blocks of them stand in the page, the rest is
// an empty space of their height until it is needed. A rank is a row's place in the frozen order
// and never changes; a position is where it stands now.
const MOST_BLOCKS = 6;

export const createVirtualRows = (root, rowCache) => {
  const grid = root.querySelector("#rows");
  const given = [...grid.querySelectorAll(".record-row")];
  const isPart = root.dataset.spotCheck === "yes";
  const size = isPart ? Math.max(given.length, 1) : Number(root.dataset.page);
  let order = isPart
    ? given.map((row) => Number(row.dataset.rank))
    : Array.from({ length: Number(root.dataset.records) }, (_, rank) => rank);
  let places = new Map(order.map((rank, position) => [rank, position]));
  let divider = null;
  let middle = 0; // the block that the focus is in
  let inView = 0; // the block that was scrolled to last
  let newest = 0;
  let coming = null;

  const blockOf = (position) => Math.floor(position / size);
  const ranksIn = (block) => order.slice(block * size, (block + 1) * size);
  const isReady = (block) => rowCache.missing(ranksIn(block)).length === 0;
  const elementOf = (block) => grid.children[block];
  const isShown = (block) => !elementOf(block)?.classList.contains("is-away");
  const shownBlocks = () => Array.from(grid.children, (_, i) => i).filter(isShown);

  const watching = new IntersectionObserver(
    (entries) => {
      for (const each of entries.filter((entry) => entry.isIntersecting)) {
        inView = [...grid.children].indexOf(each.target);
        show(inView);
      }
    },
    { rootMargin: "800px" },
  );

  const emptyBlock = (height) => {
    const space = document.createElement("div");
    space.className = "rows is-away";
    space.setAttribute("role", "presentation");
    space.style.height = `${height}px`;
    watching.observe(space);
    return space;
  };

  const putAway = (block) => {
    const element = elementOf(block);
    element.replaceWith(emptyBlock(element.offsetHeight));
  };

  const wantedIn = (block) => {
    const wanted = [];
    ranksIn(block).forEach((rank, i) => {
      const position = block * size + i;
      const row = rowCache.ofRank(rank);
      row?.setAttribute("aria-rowindex", String(position + 1));
      if (row) wanted.push(row);
      if (divider?.position === position) wanted.push(divider.element);
    });
    return wanted;
  };

  // Only what is out of its place is touched: a row that has the focus keeps it.
  const fill = (block) => {
    const group = elementOf(block);
    let cursor = group.firstElementChild;
    for (const wanted of wantedIn(block)) {
      if (cursor === wanted) cursor = cursor.nextElementSibling;
      else group.insertBefore(wanted, cursor);
    }
    while (cursor) {
      const after = cursor.nextElementSibling;
      cursor.remove();
      cursor = after;
    }
  };

  const place = (block) => {
    const space = elementOf(block);
    watching.unobserve(space);
    const group = document.createElement("div");
    group.className = "rows";
    group.setAttribute("role", "rowgroup");
    space.replaceWith(group);
    fill(block);
    tidy();
  };

  const show = async (block) => {
    if (block < 0 || block >= grid.children.length || isShown(block)) return;
    await rowCache.need(ranksIn(block));
    if (isReady(block) && !isShown(block)) place(block);
  };

  const tidy = () => {
    const farness = (block) => Math.min(Math.abs(block - middle), Math.abs(block - inView));
    const far = shownBlocks().sort((a, b) => farness(b) - farness(a));
    for (const block of far.slice(0, Math.max(0, far.length - MOST_BLOCKS))) putAway(block);
    rowCache.tidy();
  };

  // While a row is fetched, what is pressed waits for it: it is meant for that row.
  const hold = (wait) => {
    coming = wait;
    wait.finally(() => {
      if (coming === wait) coming = null;
    });
  };
  const whenThere = (run) => {
    if (coming === null) run();
    else coming.then((isThere) => isThere && whenThere(run));
  };

  // Calls back with the row at a position, at once if it is there; the newest wish counts.
  const reveal = (position, then) => {
    const wish = (newest += 1);
    const done = () => {
      const row = rowCache.ofRank(order[position]);
      if (row?.isConnected && wish === newest) then(row);
      return row?.isConnected === true;
    };
    const block = blockOf(position);
    middle = block;
    if (!isShown(block) && isReady(block)) place(block);
    if (isShown(block)) done();
    else hold(show(block).then(done));
  };

  const lookAround = (position) => {
    middle = blockOf(position);
    inView = middle;
    if (position % size >= size - 35) show(middle + 1);
    if (position % size < 15) show(middle - 1);
  };

  // The caller has loaded what comes next; where that failed, nothing moves.
  const reorder = (now) => {
    if (rowCache.missing(now.slice(middle * size, (middle + 1) * size)).length > 0) return;
    order = now;
    places = new Map(order.map((rank, position) => [rank, position]));
    for (const block of shownBlocks()) {
      if (isReady(block)) fill(block);
      else putAway(block);
    }
  };

  const setDivider = (position, element) => {
    divider?.element.remove();
    divider = position === null ? null : { position, element };
    if (divider && isShown(blockOf(position))) fill(blockOf(position));
  };

  // --- begin -----------------------------------------------------------------------------------

  given.forEach(rowCache.adopt);
  const [group] = grid.children;
  const height = Math.max(group.offsetHeight, 40);
  middle = isPart ? 0 : blockOf(Number(root.dataset.start));
  inView = middle;
  rowCache.forget(ranksIn(middle));
  for (let block = 0; block * size < order.length; block += 1) {
    if (block < middle) grid.insertBefore(emptyBlock(height), group);
    if (block > middle) grid.append(emptyBlock(height));
  }
  for (const link of root.querySelectorAll(".more")) link.remove();
  window.addEventListener("online", () => show(middle));

  const at = (position) => rowCache.ofRank(order[position]);
  return {
    at, reveal, hold, whenThere, lookAround, reorder, setDivider,
    get order() { return order; },
    isGone: (position) => rowCache.isGone(order[position]),
    positionOf: (row) => places.get(Number(row.dataset.rank)),
    loaded: () => order.map(rowCache.ofRank).filter(Boolean),
    around: (position) => ranksIn(blockOf(position)).map(rowCache.ofRank).filter(Boolean),
  };
};
