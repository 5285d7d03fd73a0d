// The map page: what the server knows, shown by the scene, moved by the pointer, explained by the side panel.
import { createCamera } from "./camera.js";
import { classifyRecords, readColours } from "./classes.js";
import { fetchPoints, findRow, loadMap, matchPlaces } from "./data.js";
import { createLayer } from "./layer.js";
import { createLegend } from "./legend.js";
import { createPointer } from "./pointer.js";
import { createScene } from "./scene.js";
import { createSearch } from "./search.js";
import { createSideBySide, rememberInUrl } from "./side_by_side.js";
import { createSidePanel } from "./side_panel.js";
import { createVersionSlider } from "./version_slider.js";

const LISTED = 50;

const start = (root) => {
  const at = (selector) => root.querySelector(selector);
  const canvas = at("#map-canvas");
  const base = root.dataset.url;

  let data = null;
  let colouring = null;
  let selected = [];
  let version = Number(root.dataset.version);

  // What is asked of the map before its points are there is done once they are.
  const pending = [];
  let isDrawn = false;
  const whenDrawn = (run) => (isDrawn ? run() : pending.push(run));

  const fail = (sentence) => {
    at("#map-trouble").hidden = false;
    at("#map-trouble").textContent = sentence;
  };
  const attempt = (work) => work().catch((error) => fail(error.message));

  const layer = createLayer(canvas);
  if (!layer) {
    fail("This browser does not support WebGL2, which the map needs. Use the list of records instead.");
    window.likewise.heldKeys.release();
    return;
  }
  const camera = createCamera(canvas);
  const legend = createLegend(at("#map-legend"), {
    changed: () => {
      scene.style();
      listView();
    },
    pointed: (which) => scene.bring(which),
  });
  const scene = createScene(root, layer, camera, legend.isHidden);
  const rowOf = (id) => (id === null ? -1 : findRow(data.ids, id));
  const side = createSidePanel(root, root.dataset.pages, () => version, {
    find: (id) => data && scene.ring(rowOf(id)),
    unfind: () => data && scene.ring(rowOf(side.chosen())),
  });

  const listView = () => {
    if (!data || !side.listed.open) return;
    const rows = scene.middle(LISTED);
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
    colouring = classifyRecords(data, at("#map-colour").value);
    legend.show(colouring.classes, keep);
    scene.show(data, colouring);
  };

  const pointed = (place) => {
    if (!data) return;
    const row = place ? scene.at(place) : -1;
    canvas.classList.toggle("is-over", row >= 0);
    side.point(row < 0 ? null : data.ids[row], place);
    scene.ring(row < 0 ? rowOf(side.chosen()) : row);
  };
  const choose = (row) => {
    side.point(null);
    side.choose(row < 0 ? null : data.ids[row], false);
    scene.ring(row);
  };
  const lassoed = (drawn, isDone) => {
    const pane = drawn.length ? camera.paneAt(...drawn[0]) : 0;
    const line = drawn.map((each) => camera.inside(each, pane));
    at("#map-lasso").setAttribute("points", isDone ? "" : line.map((each) => each.join(",")).join(" "));
    if (!isDone) return;
    setLasso(false);
    select(scene.inside(line, pane));
  };
  const pointer = createPointer(canvas, camera, {
    viewed, lassoed, pointed, whenDrawn, chosen: (place) => choose(scene.at(place)),
  });
  const search = createSearch(root, base, (command) => whenDrawn(() => attempt(command)), (ids) => {
    scene.match(ids && ids.map(rowOf).filter((row) => row >= 0));
    listView();
  });
  const lassoButton = at('[data-map="lasso"]');
  const setLasso = (on) => {
    lassoButton.setAttribute("aria-pressed", String(on));
    canvas.classList.toggle("is-lasso", on);
    pointer.setLasso(on);
  };

  const slide = createVersionSlider(at("#map-slide"), (to) => scene.move(to));
  const beside = createSideBySide(root, (nPanes) => {
    camera.split(nPanes);
    scene.arrange();
  });
  const compare = async () => {
    const number = Number(at("#map-before")?.value || 0);
    const other = data.header.versions.find((each) => each.number === number);
    const isOther = other && number !== version;
    const places = isOther ? matchPlaces(data, await fetchPoints(base, other)) : null;
    slide.show(isOther ? number : null, version);
    scene.lay(places);
    beside.show(isOther ? number : null, version);
  };
  const load = async () => {
    const isFirst = data === null;
    data = await loadMap(base, version);
    colour(true);
    await compare();
    if (isFirst) camera.fit();
    select([]);
    search.forget();
    listView();
  };

  const size = () => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    scene.draw();
  };
  const dye = () => {
    layer.dye(readColours(root));
    scene.draw();
  };

  const COMMANDS = {
    lasso: () => setLasso(lassoButton.getAttribute("aria-pressed") !== "true"),
    in: () => camera.zoomBy(1.6), out: () => camera.zoomBy(1 / 1.6), fit: () => camera.fit(),
    clear: () => select([]),
    beside: () => {
      beside.turn();
      viewed();
    },
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
      rememberInUrl("version", value);
      attempt(load);
    },
    "map-before": (value) => {
      rememberInUrl("before", value);
      attempt(compare);
    },
    "map-unlabeled": () => select(selected),
  };

  const listen = () => {
    root.addEventListener("click", (event) => {
      const command = event.target.closest("[data-map]")?.dataset.map;
      if (!COMMANDS[command]) return;
      whenDrawn(() => {
        COMMANDS[command]();
        if (["in", "out", "fit"].includes(command)) viewed();
      });
    });
    root.addEventListener("change", ({ target: { id, value } }) => CHANGES[id] && whenDrawn(() => CHANGES[id](value)));
    side.listed.addEventListener("toggle", listView);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      whenDrawn(() => {
        setLasso(false);
        select([]);
      });
    });
    document.body.addEventListener("map-drawn", () => whenDrawn(() => attempt(load)));
    new MutationObserver(dye).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dye);
    canvas.addEventListener("webglcontextlost", () => fail("The browser lost the graphics context. Reload the page to show the map again."));
  };

  const begin = async () => {
    for (const part of [at(".map-bar"), at(".map-stage"), at("#map-legend-card")]) part.hidden = false;
    size();
    dye();
    listen();
    window.likewise.heldKeys.release();
    await load();
    new ResizeObserver(size).observe(canvas);
    const row = findRow(data.ids, Number(root.dataset.record));
    if (row >= 0) {
      camera.lookAt(...scene.spot(row), 4 * camera.camera.zoom);
      choose(row);
      viewed();
    }
    isDrawn = true;
    for (const run of pending.splice(0)) run();
    root.dataset.state = "ready";
  };
  attempt(begin);
};

// A project without a map has nothing to start.
const root = document.getElementById("map");
if (root) start(root);
