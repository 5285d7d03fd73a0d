// What is drawn of the records: where, in what colour, who is grey, who is brought out or ringed.
import { createGrid } from "./grid.js";

const [GREY, PLAIN, STRONG] = [0, 1, 2];
const REACH = 9;
const FEW = 25000;
const SLOW = 45;
const REST = 160;

export const createScene = (root, layer, camera, isHidden) => {
  const rings = root.querySelectorAll(".map-over circle");
  let data = null;
  let colouring = null;
  let from = null; // Where the records lay in the version that is compared with.
  let share = 1; // How far they are from there to where they lie.
  let grids = []; // For each pane, over where they are drawn now; made when asked for.
  let matches = null;
  let selected = null;
  let brought = -1;
  let ringed = -1;
  let frame = 0;
  let painted = 0;
  let resting = 0;

  // One pane shows them on their way, two show where they lay and where they lie.
  const shares = () => (camera.nPanes() === 2 ? [0, 1] : [share]);
  const last = () => camera.nPanes() - 1;
  const placed = (at, pane) => {
    const way = shares()[pane];
    return way < 1 ? from[at] + (data.xy[at] - from[at]) * way : data.xy[at];
  };
  const spot = (row, pane = last()) => [placed(2 * row, pane), placed(2 * row + 1, pane)];
  // Nobody sees a ring beyond its pane, for that is the other one.
  const ringIn = (pane) => {
    const place = camera.toScreen(...spot(ringed, pane), pane);
    const isSeen = camera.inside(place, pane).every((each, axis) => each === place[axis]);
    return isSeen ? place : [-99, -99];
  };
  const placeRings = () => rings.forEach((ring, pane) => {
    const [x, y] = ringed < 0 || pane > last() ? [-99, -99] : ringIn(pane);
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
  });

  // Where frames come slowly, few points are drawn while one moves, and all once one rests.
  const paint = (now, isRested) => {
    frame = 0;
    const isSlow = data.n > FEW && now - painted > SLOW && now - painted < 3 * REST;
    clearTimeout(resting);
    layer.draw(camera, shares(), camera.pointSize(data.n, layer.largest), isSlow && !isRested);
    if (isSlow && !isRested) resting = setTimeout(() => requestAnimationFrame((at) => paint(at, true)), REST);
    painted = now;
    placeRings();
  };
  const draw = () => {
    if (data) frame = frame || requestAnimationFrame((now) => paint(now, false));
  };

  // Grey: hidden by the legend, or by what is sought. This is also what cannot be pointed at.
  const isShown = (row) => !isHidden(colouring.of[row]) && (!matches || matches[row] === 1);
  const stateOf = (row) => {
    if (brought >= 0) return colouring.of[row] === brought ? STRONG : GREY;
    if (!isShown(row) || (selected && !selected[row])) return GREY;
    return matches ? STRONG : PLAIN;
  };

  // Grey below unlabeled below coloured below strong: sorted by counting.
  const style = () => {
    const styles = new Uint8Array(data.n);
    const places = new Uint8Array(data.n);
    const next = new Uint32Array(5);
    for (let row = 0; row < data.n; row += 1) {
      const { slot } = colouring.classes[colouring.of[row]];
      const state = stateOf(row);
      styles[row] = slot + 32 * state;
      places[row] = state === GREY ? 0 : state === STRONG ? 3 : slot ? 2 : 1;
      next[places[row] + 1] += 1;
    }
    for (let place = 1; place < 5; place += 1) next[place] += next[place - 1];
    const rows = new Uint32Array(data.n);
    for (let row = 0; row < data.n; row += 1) rows[next[places[row]]++] = row;
    const stride = Math.ceil(data.n / FEW);
    layer.paint(styles, rows, rows.filter((_, at) => at % stride === 0));
    draw();
  };

  const grid = (pane) => {
    const between = () => data.xy.map((_, at) => placed(at, pane));
    grids[pane] = grids[pane] || createGrid(shares()[pane] < 1 ? between() : data.xy);
    return grids[pane];
  };
  const flagged = (rows) => {
    const flags = new Uint8Array(data.n);
    for (const row of rows) flags[row] = 1;
    return flags;
  };

  return {
    draw, style, spot,
    // Other records, or other things known of them: shown plainly, by these classes.
    show: (what, classes) => {
      if (what !== data) [matches, selected, brought, ringed] = [null, null, -1, -1];
      [data, colouring] = [what, classes];
    },
    // places: where they lay before, or null.
    lay: (places) => {
      from = places;
      layer.place(from || data.xy, data.xy);
      camera.enclose(data.xy, from || []);
      grids = [];
      draw();
    },
    move: (to) => {
      share = to;
      grids = [];
      draw();
    },
    // The camera has other panes than before.
    arrange: () => {
      grids = [];
      draw();
    },
    // The row drawn at a place on the canvas, or -1.
    at: ([sx, sy]) =>
      grid(camera.paneAt(sx, sy)).nearest(...camera.toMap(sx, sy), REACH / camera.perUnit(), isShown),
    // Rows inside a line that was drawn in a pane, the nearest to its middle first.
    inside: (line, pane) => {
      const rows = grid(pane).inside(line.map((each) => camera.toMap(...each, pane)), isShown);
      const middle = [0, 1].map((axis) => {
        const along = line.map((each) => each[axis]);
        return (Math.min(...along) + Math.max(...along)) / 2;
      });
      return grid(pane).inOrder(rows, ...camera.toMap(...middle, pane));
    },
    // The first rows in view, from its middle.
    middle: (most) => grid(last()).middle(camera.view(), most, isShown),
    // Rows, or null for all.
    select: (rows) => {
      selected = rows && flagged(rows);
      style();
    },
    match: (rows) => {
      matches = rows && flagged(rows);
      style();
    },
    bring: (which) => {
      if (which === brought) return;
      brought = which;
      style();
    },
    ring: (row) => {
      ringed = row;
      placeRings();
    },
  };
};
