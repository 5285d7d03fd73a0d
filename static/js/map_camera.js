// What part of the map is on the screen: the place in its middle, and how near one is.
(() => {
  const NEAREST = 400;

  window.likewise.map.camera = (canvas) => {
    const camera = { x: 0, y: 0, zoom: 1 };
    let home = { x: 0, y: 0, zoom: 1 };
    // CSS pixels per unit of the map at zoom 1, where all of its square is shown.
    const unit = () => Math.min(canvas.clientWidth, canvas.clientHeight) / 2.1;
    // What "all of it" means: the part of the square that holds points, with a margin.
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
      const wide = canvas.clientWidth / unit() / Math.max(0.02, right - left);
      const high = canvas.clientHeight / unit() / Math.max(0.02, top - bottom);
      home = { x: (left + right) / 2, y: (bottom + top) / 2, zoom: 0.92 * Math.min(wide, high) };
    };
    const perUnit = () => unit() * camera.zoom;
    const clip = () => [(2 * perUnit()) / canvas.clientWidth, (2 * perUnit()) / canvas.clientHeight];

    const toMap = (sx, sy) => [
      camera.x + (sx - canvas.clientWidth / 2) / perUnit(),
      camera.y - (sy - canvas.clientHeight / 2) / perUnit(),
    ];
    const toScreen = (x, y) => [
      (x - camera.x) * perUnit() + canvas.clientWidth / 2,
      canvas.clientHeight / 2 - (y - camera.y) * perUnit(),
    ];
    const pan = (dx, dy) => {
      camera.x = Math.max(-1.2, Math.min(1.2, camera.x - dx / perUnit()));
      camera.y = Math.max(-1.2, Math.min(1.2, camera.y + dy / perUnit()));
    };
    // The place under (sx, sy) stays there.
    const zoomBy = (factor, sx = canvas.clientWidth / 2, sy = canvas.clientHeight / 2) => {
      const [x, y] = toMap(sx, sy);
      camera.zoom = Math.max(0.5, Math.min(NEAREST, camera.zoom * factor));
      const [nx, ny] = toScreen(x, y);
      pan(sx - nx, sy - ny);
    };
    const lookAt = (x, y, zoom = camera.zoom) => Object.assign(camera, { x, y, zoom });
    const view = () => {
      const [left, top] = toMap(0, 0);
      const [right, bottom] = toMap(canvas.clientWidth, canvas.clientHeight);
      return { left, right, top, bottom };
    };
    return {
      camera, toMap, toScreen, pan, zoomBy, lookAt, view, perUnit,
      enclose,
      fit: () => Object.assign(camera, home),
      clipScale: clip,
      clipOffset: () => [-camera.x * clip()[0], -camera.y * clip()[1]],
      // Few points are large, many are small, and all grow as one comes nearer.
      pointSize: (n, largest) => {
        const size = Math.max(2.2, Math.min(9, 300 / Math.sqrt(n + 1))) * Math.max(1, camera.zoom / home.zoom) ** 0.35;
        return Math.min(largest, Math.min(22, size) * (canvas.width / canvas.clientWidth));
      },
    };
  };
})();
