// The map page: what the server knows, drawn by the layer, moved by the pointer, told by the side.
(() => {
  const { map } = window.likewise;
  const root = document.getElementById("map");
  if (!root) return;
  const at = (selector) => root.querySelector(selector);
  const canvas = at("#map-canvas");
  const base = root.dataset.url;
  const GREY = 0;
  const PLAIN = 1;
  const STRONG = 2;
  const REACH = 9;

  let data = null;
  let colouring = null;
  let version = Number(root.dataset.version);
  let from = null; // Where the records lay in the version that is compared with.
  let share = 1;
  let here = null; // Where they are drawn now, and the grid over that.
  let grid = null;
  let matches = null;
  let selected = [];
  let isSelected = null;
  let brought = -1;
  let ringed = -1;
  let frame = 0;

  const fail = (sentence) => {
    at("#map-trouble").hidden = false;
    at("#map-trouble").textContent = sentence;
  };

  const layer = map.layer(canvas);
  const camera = map.camera(canvas);

  const placeRing = () => {
    const [x, y] = ringed < 0 ? [-99, -99] : camera.toScreen(here[2 * ringed], here[2 * ringed + 1]);
    at("#map-ring").setAttribute("cx", x);
    at("#map-ring").setAttribute("cy", y);
  };
  const paint = () => {
    frame = 0;
    layer.draw(camera, share, camera.pointSize(data.n, layer.largest));
    placeRing();
  };
  const draw = () => (frame = frame || requestAnimationFrame(paint));

  // Grey: hidden by the legend, or by what is sought. This is also what cannot be pointed at.
  const isShown = (row) => !legend.isHidden(colouring.of[row]) && (!matches || matches[row] === 1);
  const stateOf = (row) => {
    if (brought >= 0) return colouring.of[row] === brought ? STRONG : GREY;
    if (!isShown(row) || (isSelected && !isSelected[row])) return GREY;
    return matches ? STRONG : PLAIN;
  };

  // Grey below unlabeled below coloured below strong.
  const style = () => {
    const styles = new Uint8Array(data.n);
    const layers = [[], [], [], []];
    for (let row = 0; row < data.n; row += 1) {
      const { slot } = colouring.classes[colouring.of[row]];
      const state = stateOf(row);
      styles[row] = slot + 32 * state;
      layers[state === GREY ? 0 : state === STRONG ? 3 : slot ? 2 : 1].push(row);
    }
    layer.paint(styles, Uint32Array.from(layers.flat()));
    draw();
  };

  const settle = () => {
    here = data.xy;
    if (share < 1) here = data.xy.map((to, i) => from[i] + (to - from[i]) * share);
    grid = map.grid(here);
  };
  const lay = () => {
    layer.place(from || data.xy, data.xy);
    camera.enclose(data.xy, from || []);
    settle();
    draw();
  };

  const listView = () => {
    if (!side.listed.open) return;
    const { left, right, top, bottom } = camera.view();
    const rows = [];
    grid.within(left, bottom, right, top, (row) => isShown(row) && rows.push(row));
    const near = grid.nearestOf(rows, camera.camera.x, camera.camera.y, 50);
    side.showList(near.map((row) => data.ids[row]));
  };
  const viewed = () => {
    side.point(null);
    draw();
    listView();
  };

  const rowAt = ([sx, sy]) => grid.nearest(...camera.toMap(sx, sy), REACH / camera.perUnit(), isShown);
  const find = (id) => {
    ringed = map.rowOf(data.ids, id);
    placeRing();
  };
  const side = map.side(root, root.dataset.pages, () => version, {
    find,
    unfind: () => {
      ringed = side.chosen() === null ? -1 : map.rowOf(data.ids, side.chosen());
      placeRing();
    },
  });
  const legend = map.legend(at("#map-legend"), {
    changed: () => {
      style();
      listView();
    },
    pointed: (which) => {
      if (which === brought) return;
      brought = which;
      style();
    },
  });

  const colour = (keep) => {
    colouring = map.classesOf(data, at("#map-colour").value);
    legend.show(colouring.classes, keep);
    style();
  };

  const select = (rows) => {
    selected = rows;
    isSelected = null;
    if (rows.length) {
      isSelected = new Uint8Array(data.n);
      for (const row of rows) isSelected[row] = 1;
    }
    side.select(selected, data, colouring);
    style();
  };

  const lassoed = (line, isDone) => {
    const [sx, sy] = [line.map((each) => each[0]), line.map((each) => each[1])];
    at("#map-lasso").setAttribute("points", isDone ? "" : line.map((each) => each.join(",")).join(" "));
    if (!isDone) return;
    setLasso(false);
    const rows = grid.inside(line.map((each) => camera.toMap(...each)), isShown);
    const middle = camera.toMap((Math.min(...sx) + Math.max(...sx)) / 2, (Math.min(...sy) + Math.max(...sy)) / 2);
    select(grid.nearestOf(rows, ...middle, rows.length));
  };

  const pointed = (place) => {
    const row = place && grid ? rowAt(place) : -1;
    canvas.classList.toggle("is-over", row >= 0);
    side.point(row < 0 ? null : data.ids[row], place);
  };
  const choose = (row, takesFocus) => {
    side.point(null);
    ringed = row;
    side.choose(row < 0 ? null : data.ids[row], takesFocus);
    draw();
  };

  const pointer = map.pointer(canvas, camera, {
    viewed, lassoed, pointed: (place) => data && pointed(place), chosen: (place) => choose(rowAt(place), false),
  });
  const lassoButton = at('[data-map="lasso"]');
  const setLasso = (on) => {
    lassoButton.setAttribute("aria-pressed", String(on));
    canvas.classList.toggle("is-lasso", on);
    pointer.setLasso(on);
  };

  const slide = map.slide(at("#map-slide"), (to) => {
    share = to;
    if (!data) return;
    settle();
    draw();
  });

  const compare = async () => {
    const number = Number(at("#map-before")?.value || 0);
    const other = data.header.versions.find((each) => each.number === number);
    from = !other || number === version ? null : map.placesOn(data, await map.points(base, other));
    slide.show(from ? number : null, version);
    lay();
  };

  const seek = async (words) => {
    matches = null;
    at("#map-matches").textContent = "";
    if (words.trim()) {
      const found = await map.json(`${base}/matches?q=${encodeURIComponent(words)}`);
      matches = new Uint8Array(data.n);
      for (const id of found.record_ids) {
        const row = map.rowOf(data.ids, id);
        if (row >= 0) matches[row] = 1;
      }
      at("#map-matches").textContent = `${found.n_matching.toLocaleString("en")} match${found.n_matching === 1 ? "" : "es"}`;
    }
    style();
    listView();
  };

  const load = async () => {
    data = await map.load(base, version);
    selected = [];
    isSelected = matches = null;
    colour(true);
    await compare();
    select([]);
    listView();
  };
  const tried = (deed) => deed().catch((error) => fail(error.message));

  const size = () => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    if (data) draw();
  };
  const dye = () => {
    layer.dye(map.colours(root));
    if (data) draw();
  };

  const DEEDS = {
    lasso: () => setLasso(lassoButton.getAttribute("aria-pressed") !== "true"),
    in: () => camera.zoomBy(1.6), out: () => camera.zoomBy(1 / 1.6), fit: () => camera.fit(),
    clear: () => select([]),
    "close-card": () => {
      choose(-1);
      canvas.focus();
    },
  };

  const listen = () => {
    root.addEventListener("click", (event) => {
      const deed = event.target.closest("[data-map]")?.dataset.map;
      if (!data || !DEEDS[deed]) return;
      DEEDS[deed]();
      if (["in", "out", "fit"].includes(deed)) viewed();
    });
    at("#map-colour").addEventListener("change", () => {
      colour(false);
      select(selected);
      listView();
    });
    at("#map-version")?.addEventListener("change", (event) => {
      version = Number(event.target.value);
      tried(load);
    });
    at("#map-before")?.addEventListener("change", () => tried(compare));
    at("#map-search").addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => seek(event.target.elements.q.value));
    });
    at("#map-search input").addEventListener("search", (event) => event.target.value || tried(() => seek("")));
    side.unlabeled.addEventListener("change", () => select(selected));
    side.listed.addEventListener("toggle", () => data && listView());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      setLasso(false);
      select([]);
    });
    document.body.addEventListener("map-drawn", () => tried(load));
    new ResizeObserver(size).observe(canvas);
    new MutationObserver(dye).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dye);
    canvas.addEventListener("webglcontextlost", () => fail("The browser took the graphics away. Reload the page to see the map again."));
  };

  const begin = async () => {
    for (const part of [at(".map-bar"), at(".map-stage"), at("#map-legend-card")]) part.hidden = false;
    size();
    dye();
    await load();
    camera.fit();
    viewed();
    listen();
    const row = map.rowOf(data.ids, Number(root.dataset.record));
    if (row >= 0) {
      camera.lookAt(here[2 * row], here[2 * row + 1], 4 * camera.camera.zoom);
      choose(row, false);
      viewed();
    }
    root.dataset.state = "ready";
  };

  if (layer) tried(begin);
  else fail("This browser cannot draw the map: it needs WebGL2. The records can be reached through the list.");
})();
