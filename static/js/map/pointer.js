// Mouse, touch, pen and keys on the canvas: moving, zooming, drawing a lasso, pointing, choosing.
const CLICK = 5;
const STEP = 60;

export const createPointer = (canvas, camera, handlers) => {
  const down = new Map();
  let moved = 0;
  let lasso = null;
  let wantsLasso = false;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [a, b] = [...down.values()];
    return { apart: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
  };

  const begin = (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    moved = 0;
    const isAlone = down.size === 1;
    lasso = isAlone && (wantsLasso || event.shiftKey) ? [place(event)] : null;
    handlers.lassoed(lasso || [], false);
  };

  const pinch = (event) => {
    const before = spread();
    down.set(event.pointerId, place(event));
    const after = spread();
    camera.pan(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1]);
    camera.zoomBy(after.apart / Math.max(before.apart, 1), ...after.middle);
    handlers.viewed();
  };

  const move = (event) => {
    const here = place(event);
    const last = down.get(event.pointerId);
    if (!last) return handlers.pointed(here);
    moved += Math.hypot(here[0] - last[0], here[1] - last[1]);
    if (down.size === 2) return pinch(event);
    down.set(event.pointerId, here);
    if (lasso) {
      lasso.push(here);
      handlers.lassoed(lasso, false);
    } else if (moved > CLICK) {
      camera.pan(here[0] - last[0], here[1] - last[1]);
      handlers.viewed();
    }
  };

  const end = (event) => {
    if (!down.delete(event.pointerId) || down.size) return;
    const drawn = lasso;
    lasso = null;
    if (drawn && moved > CLICK) handlers.lassoed(drawn, true);
    else if (event.type === "pointerup" && moved <= CLICK) handlers.chosen(place(event));
    else handlers.lassoed([], false);
  };

  const KEYS = {
    ArrowLeft: () => camera.pan(STEP, 0), ArrowRight: () => camera.pan(-STEP, 0),
    ArrowUp: () => camera.pan(0, STEP), ArrowDown: () => camera.pan(0, -STEP),
    "+": () => camera.zoomBy(1.4), "=": () => camera.zoomBy(1.4), "-": () => camera.zoomBy(1 / 1.4), 0: () => camera.fit(),
  };

  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => handlers.pointed(null));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    handlers.whenDrawn(() => {
      KEYS[event.key]();
      handlers.viewed();
    });
  });
  // Not passive: the page must stay where it is while the map comes nearer.
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    camera.zoomBy(Math.exp(-event.deltaY * lines * 0.0015), ...place(event));
    handlers.viewed();
  }, { passive: false });

  return { setLasso: (on) => (wantsLasso = on) };
};
