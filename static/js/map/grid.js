// Which points are near a place: they are sorted into cells once, so that nobody looks at all of them.
const CELLS = 128;
const cellOf = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));

// xy: 2n float32 in [-1, 1].
export const createGrid = (xy) => {
  const n = xy.length / 2;
  const starts = new Uint32Array(CELLS * CELLS + 1);
  const cells = new Uint16Array(n);
  for (let row = 0; row < n; row += 1) {
    cells[row] = cellOf(xy[2 * row + 1]) * CELLS + cellOf(xy[2 * row]);
    starts[cells[row] + 1] += 1;
  }
  for (let cell = 0; cell < CELLS * CELLS; cell += 1) starts[cell + 1] += starts[cell];
  const next = starts.slice();
  const rows = new Uint32Array(n);
  for (let row = 0; row < n; row += 1) rows[next[cells[row]]++] = row;

  const within = (left, bottom, right, top, visit) => {
    for (let y = cellOf(bottom); y <= cellOf(top); y += 1) {
      for (let x = cellOf(left); x <= cellOf(right); x += 1) {
        const cell = y * CELLS + x;
        for (let at = starts[cell]; at < starts[cell + 1]; at += 1) {
          const row = rows[at];
          const px = xy[2 * row];
          const py = xy[2 * row + 1];
          if (px >= left && px <= right && py >= bottom && py <= top) visit(row, px, py);
        }
      }
    }
  };

  // The nearest of those that `counts` says yes to, within `reach`, or -1.
  const nearest = (x, y, reach, counts) => {
    let found = -1;
    let best = reach * reach;
    within(x - reach, y - reach, x + reach, y + reach, (row, px, py) => {
      const apart = (px - x) ** 2 + (py - y) ** 2;
      if (apart <= best && counts(row)) {
        best = apart;
        found = row;
      }
    });
    return found;
  };

  // Rows inside a polygon [[x, y], …], by the even-odd rule.
  const inside = (polygon, counts) => {
    const xs = polygon.map((each) => each[0]);
    const ys = polygon.map((each) => each[1]);
    const found = [];
    within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (row, px, py) => {
      let is = false;
      for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i, i += 1) {
        const crosses = ys[i] > py !== ys[j] > py;
        if (crosses && px < ((xs[j] - xs[i]) * (py - ys[i])) / (ys[j] - ys[i]) + xs[i]) is = !is;
      }
      if (is && counts(row)) found.push(row);
    });
    return found;
  };

  const apartFrom = (row, x, y) => (xy[2 * row] - x) ** 2 + (xy[2 * row + 1] - y) ** 2;

  // These rows, the nearest to a place first.
  const inOrder = (found, x, y) => {
    const apart = new Map(found.map((row) => [row, apartFrom(row, x, y)]));
    return found.sort((a, b) => apart.get(a) - apart.get(b) || a - b);
  };

  // The nearest `most` of those in a rectangle that `counts` says yes to, the nearest first.
  const middle = ({ left, bottom, right, top }, most, counts) => {
    const [x, y] = [(left + right) / 2, (bottom + top) / 2];
    const best = [];
    within(left, bottom, right, top, (row) => {
      const apart = apartFrom(row, x, y);
      if ((best.length === most && apart >= best[most - 1][0]) || !counts(row)) return;
      let at = best.length;
      while (at > 0 && best[at - 1][0] > apart) at -= 1;
      best.splice(at, 0, [apart, row]);
      if (best.length > most) best.pop();
    });
    return best.map(([, row]) => row);
  };

  return { within, nearest, inside, inOrder, middle };
};
