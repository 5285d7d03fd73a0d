// What part of the map is on the screen: the place in its middle, and how near one is. The canvas is
// one pane, or two that show the same part: side by side, one below the other where it is narrow.
const NEAREST = 400;

export const createCamera = (canvas) => {
  const camera = { x: 0, y: 0, zoom: 1 };
  let held = { left: -1, right: 1, bottom: -1, top: 1 };
  let nPanes = 1;
  const narrow = matchMedia("(width < 40rem)");
  const across = () => (narrow.matches ? 1 : nPanes);
  const width = () => canvas.clientWidth / across();
  const height = () => (canvas.clientHeight * across()) / nPanes;
  // In CSS pixels of the canvas.
  const boxOf = (pane) => {
    const isBelow = narrow.matches;
    return { left: isBelow ? 0 : pane * width(), top: isBelow ? pane * height() : 0, width: width(), height: height() };
  };
  const paneAt = (sx, sy) => Math.max(0, Math.min(nPanes - 1, Math.floor(narrow.matches ? sy / height() : sx / width())));

  // CSS pixels per unit of the map at zoom 1, where all of its square is shown.
  const unit = () => Math.min(width(), height()) / 2.1;
  const enclose = (...places) => {
    let [left, right, bottom, top] = [1, -1, 1, -1];
    for (const xy of places) {
      for (let at = 0; at < xy.length; at += 2) {
        left = Math.min(left, xy[at]);
        right = Math.max(right, xy[at]);
        bottom = Math.min(bottom, xy[at + 1]);
        top = Math.max(top, xy[at + 1]);
      }
    }
    held = { left, right, bottom, top };
  };
  // What "all of it" means: the part of the square that holds points, with a margin.
  const home = () => {
    const wide = width() / unit() / Math.max(0.02, held.right - held.left);
    const high = height() / unit() / Math.max(0.02, held.top - held.bottom);
    return { x: (held.left + held.right) / 2, y: (held.bottom + held.top) / 2, zoom: 0.92 * Math.min(wide, high) };
  };
  const perUnit = () => unit() * camera.zoom;
  const clip = () => [(2 * perUnit()) / width(), (2 * perUnit()) / height()];
  const middleOf = (pane) => {
    const box = boxOf(pane);
    return [box.left + box.width / 2, box.top + box.height / 2];
  };

  const toMap = (sx, sy, pane = paneAt(sx, sy)) => {
    const [mx, my] = middleOf(pane);
    return [camera.x + (sx - mx) / perUnit(), camera.y - (sy - my) / perUnit()];
  };
  const toScreen = (x, y, pane) => {
    const [mx, my] = middleOf(pane);
    return [(x - camera.x) * perUnit() + mx, my - (y - camera.y) * perUnit()];
  };
  const inside = ([sx, sy], pane) => {
    const box = boxOf(pane);
    return [
      Math.max(box.left, Math.min(box.left + box.width, sx)),
      Math.max(box.top, Math.min(box.top + box.height, sy)),
    ];
  };
  const pan = (dx, dy) => {
    camera.x = Math.max(-1.2, Math.min(1.2, camera.x - dx / perUnit()));
    camera.y = Math.max(-1.2, Math.min(1.2, camera.y + dy / perUnit()));
  };
  // The place under (sx, sy) stays there.
  const zoomBy = (factor, sx = middleOf(0)[0], sy = middleOf(0)[1]) => {
    const pane = paneAt(sx, sy);
    const [x, y] = toMap(sx, sy, pane);
    camera.zoom = Math.max(0.5, Math.min(NEAREST, camera.zoom * factor));
    const [nx, ny] = toScreen(x, y, pane);
    pan(sx - nx, sy - ny);
  };
  const lookAt = (x, y, zoom = camera.zoom) => Object.assign(camera, { x, y, zoom });
  const view = () => {
    const [left, top] = toMap(0, 0, 0);
    const [right, bottom] = toMap(width(), height(), 0);
    return { left, right, top, bottom };
  };
  // Two panes or one; one stays as near to the map as one was.
  const split = (n) => {
    const near = camera.zoom / home().zoom;
    nPanes = n;
    camera.zoom = near * home().zoom;
  };
  return {
    camera, toMap, toScreen, pan, zoomBy, lookAt, view, perUnit, enclose, split, paneAt, boxOf,
    // A place on the canvas, or the nearest to it in a pane.
    inside,
    nPanes: () => nPanes,
    fit: () => Object.assign(camera, home()),
    clipScale: clip,
    clipOffset: () => [-camera.x * clip()[0], -camera.y * clip()[1]],
    // Few points are large, many are small, and all grow as one comes nearer.
    pointSize: (n, largest) => {
      const size = Math.max(2.2, Math.min(9, 300 / Math.sqrt(n + 1))) * Math.max(1, camera.zoom / home().zoom) ** 0.35;
      return Math.min(largest, Math.min(22, size) * (canvas.width / canvas.clientWidth));
    },
  };
};
