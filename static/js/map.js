// The map page: what the server knows, shown by the scene, moved by the pointer, told by the side.
(() => {
  const { map } = window.likewise;
  const root = document.getElementById("map");
  if (!root) return;
  const at = (selector) => root.querySelector(selector);
  const canvas = at("#map-canvas");
  const base = root.dataset.url;
  const REACH = 9;
  const LISTED = 50;

  let data = null;
  let colouring = null;
  let selected = [];
  let version = Number(root.dataset.version);

  const fail = (sentence) => {
    at("#map-trouble").hidden = false;
    at("#map-trouble").textContent = sentence;
  };
  const tried = (deed) => deed().catch((error) => fail(error.message));

  const layer = map.layer(canvas);
  if (!layer) {
    fail("This browser cannot draw the map: it needs WebGL2. The records can be reached through the list.");
    return;
  }
  const camera = map.camera(canvas);
  const legend = map.legend(at("#map-legend"), {
    changed: () => {
      scene.style();
      listView();
    },
    pointed: (which) => scene.bring(which),
  });
  const scene = map.scene(root, layer, camera, legend.isHidden);
  const rowOf = (id) => (id === null ? -1 : map.rowOf(data.ids, id));
  const side = map.side(root, root.dataset.pages, () => version, {
    find: (id) => data && scene.ring(rowOf(id)),
    unfind: () => data && scene.ring(rowOf(side.chosen())),
  });

  const listView = () => {
    if (!data || !side.listed.open) return;
    const rows = scene.grid().middle(camera.view(), LISTED, scene.isShown);
    side.showList(rows.map((row) => data.ids[row]));
  };
  const viewed = () => {
    side.point(null);
    scene.draw();
    listView();
  };
  const select = (rows) => {
    selected = rows;
    side.select(rows, data, colouring);
    scene.select(rows.length ? rows : null);
  };
  const colour = (keep) => {
    colouring = map.classesOf(data, at("#map-colour").value);
    legend.show(colouring.classes, keep);
    scene.show(data, colouring);
  };

  const rowAt = ([sx, sy]) =>
    scene.grid().nearest(...camera.toMap(sx, sy), REACH / camera.perUnit(), scene.isShown);
  const pointed = (place) => {
    const row = place && data ? rowAt(place) : -1;
    canvas.classList.toggle("is-over", row >= 0);
    side.point(row < 0 ? null : data.ids[row], place);
  };
  const choose = (row) => {
    side.point(null);
    side.choose(row < 0 ? null : data.ids[row], false);
    scene.ring(row);
  };
  const lassoed = (line, isDone) => {
    const [xs, ys] = [line.map((each) => each[0]), line.map((each) => each[1])];
    at("#map-lasso").setAttribute("points", isDone ? "" : line.map((each) => each.join(",")).join(" "));
    if (!isDone) return;
    setLasso(false);
    const rows = scene.grid().inside(line.map((each) => camera.toMap(...each)), scene.isShown);
    const centre = [xs, ys].map((each) => (Math.min(...each) + Math.max(...each)) / 2);
    select(scene.grid().inOrder(rows, ...camera.toMap(...centre)));
  };
  const pointer = map.pointer(canvas, camera, {
    viewed, lassoed, pointed, chosen: (place) => choose(rowAt(place)),
  });
  const lassoButton = at('[data-map="lasso"]');
  const setLasso = (on) => {
    lassoButton.setAttribute("aria-pressed", String(on));
    canvas.classList.toggle("is-lasso", on);
    pointer.setLasso(on);
  };

  const slide = map.slide(at("#map-slide"), (to) => scene.move(to));
  const compare = async () => {
    const number = Number(at("#map-before")?.value || 0);
    const other = data.header.versions.find((each) => each.number === number);
    const isOther = other && number !== version;
    const places = isOther ? map.placesOn(data, await map.points(base, other)) : null;
    slide.show(isOther ? number : null, version);
    scene.lay(places);
  };
  const load = async () => {
    const isFirst = data === null;
    data = await map.load(base, version);
    colour(true);
    await compare();
    if (isFirst) camera.fit();
    select([]);
    at("#map-matches").textContent = "";
    listView();
  };
  const seek = async (words) => {
    const found = words.trim() ? await map.json(`${base}/matches?q=${encodeURIComponent(words)}`) : null;
    const n = found?.n_matching;
    at("#map-matches").textContent = found ? `${n.toLocaleString("en")} match${n === 1 ? "" : "es"}` : "";
    scene.match(found && found.record_ids.map(rowOf).filter((row) => row >= 0));
    listView();
  };

  const size = () => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    scene.draw();
  };
  const dye = () => {
    layer.dye(map.colours(root));
    scene.draw();
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
  const CHANGES = {
    "map-colour": () => {
      colour(false);
      select(selected);
      listView();
    },
    "map-version": (value) => {
      version = Number(value);
      tried(load);
    },
    "map-before": () => tried(compare),
    "map-unlabeled": () => select(selected),
  };

  const listen = () => {
    root.addEventListener("click", (event) => {
      const deed = event.target.closest("[data-map]")?.dataset.map;
      DEEDS[deed]?.();
      if (["in", "out", "fit"].includes(deed)) viewed();
    });
    root.addEventListener("change", (event) => CHANGES[event.target.id]?.(event.target.value));
    at("#map-search").addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => seek(event.target.elements.q.value));
    });
    at("#map-search input").addEventListener("search", (event) => event.target.value || tried(() => seek("")));
    side.listed.addEventListener("toggle", listView);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      setLasso(false);
      select([]);
    });
    document.body.addEventListener("map-drawn", () => tried(load));
    new MutationObserver(dye).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dye);
    canvas.addEventListener("webglcontextlost", () => fail("The browser took the graphics away. Reload the page to see the map again."));
  };

  const begin = async () => {
    for (const part of [at(".map-bar"), at(".map-stage"), at("#map-legend-card")]) part.hidden = false;
    size();
    dye();
    await load();
    listen();
    new ResizeObserver(size).observe(canvas);
    const row = map.rowOf(data.ids, Number(root.dataset.record));
    if (row >= 0) {
      camera.lookAt(...scene.spot(row), 4 * camera.camera.zoom);
      choose(row);
      viewed();
    }
    root.dataset.state = "ready";
  };
  tried(begin);
})();
