// Two versions' maps in a page about them: the map's own scene, to look at. Where the browser cannot
// draw it, a picture stands there.
import { createCamera } from "./camera.js";
import { classifyRecords, readColours } from "./classes.js";
import { fetchPoints, loadMap, matchPlaces } from "./data.js";
import { createLayer } from "./layer.js";
import { createScene } from "./scene.js";
import { createSideBySide } from "./side_by_side.js";
import { createVersionSlider } from "./version_slider.js";

const MOST_NAMED = 12;
const [LONGEST, LETTER, LINE] = [24, 6.5, 15];
const SVG = "http://www.w3.org/2000/svg";

// The middle of each class that is named, from and to.
const middles = (data, from, colouring) => {
  const named = colouring.classes.filter((each) => each.n && each.slot).sort((a, b) => b.n - a.n).slice(0, MOST_NAMED);
  const rowsOf = new Map(named.map((each) => [each.at, []]));
  for (let row = 0; row < data.n; row += 1) rowsOf.get(colouring.of[row])?.push(row);
  const middle = (xy, rows, axis) => {
    const along = rows.map((row) => xy[2 * row + axis]).sort((a, b) => a - b);
    return along[along.length >> 1];
  };
  return named.map((each) => {
    const rows = rowsOf.get(each.at);
    return { name: each.name, places: [from, data.xy].map((xy) => [0, 1].map((axis) => middle(xy, rows, axis))) };
  });
};

// Names that would cover each other move down, from the uppermost on.
const apart = (placed) => {
  const reach = (one, other) => (LETTER * (one.name.length + other.name.length)) / 2;
  placed.sort((one, other) => one.y - other.y).forEach((each, at) => {
    for (const above of placed.slice(0, at)) {
      if (Math.abs(above.x - each.x) < reach(above, each)) each.y = Math.max(each.y, above.y + LINE);
    }
  });
  return placed;
};
const named = (layer, camera, labels, shares) => {
  const place = ({ name, places: [from, to] }, share, pane) => {
    const [x, y] = camera.toScreen(...from.map((at, axis) => at + (to[axis] - at) * share), pane);
    return { name: name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name, x, y };
  };
  const written = ({ name, x, y }) => {
    const words = document.createElementNS(SVG, "text");
    words.setAttribute("x", x);
    words.setAttribute("y", y);
    words.textContent = name;
    return words;
  };
  const placed = shares.flatMap((share, pane) => apart(labels.map((each) => place(each, share, pane))));
  layer.replaceChildren(...placed.map(written));
};

// A label where there is one, else what is suggested.
const labeledOrSuggested = (data) => ({
  ...data,
  suggestions: data.suggestions.map((each, row) => data.labels[row] || each),
});

const begin = async (root) => {
  const at = (selector) => root.querySelector(selector);
  const canvas = at("canvas");
  const layer = createLayer(canvas);
  if (!layer) throw new Error("no WebGL2");
  const { url, before, after } = root.dataset;
  const data = labeledOrSuggested(await loadMap(url, Number(after)));
  const from = matchPlaces(data, await fetchPoints(url, data.header.versions.find((each) => each.number === Number(before))));
  const colouring = classifyRecords(data, "suggestion");
  const labels = middles(data, from, colouring);
  const camera = createCamera(canvas);
  const scene = createScene(root, layer, camera, () => false);
  let share = 1;

  const draw = () => {
    scene.draw();
    named(at(".map-over g"), camera, labels, camera.nPanes() === 2 ? [0, 1] : [share]);
  };
  const fit = () => {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    camera.fit();
    draw();
  };
  const dye = () => {
    layer.dye(readColours(root));
    draw();
  };

  at(".map-stage").hidden = false;
  scene.show(data, colouring);
  scene.lay(from);
  scene.style();
  const slide = createVersionSlider(at("#map-slide"), (to) => {
    share = to;
    scene.move(to);
    draw();
  });
  const beside = createSideBySide(root, (nPanes) => {
    camera.split(nPanes);
    scene.arrange();
    fit();
  });
  slide.show(Number(before), Number(after));
  beside.show(Number(before), Number(after));
  dye();
  at('[data-map="beside"]').addEventListener("click", () => beside.turn());
  new ResizeObserver(fit).observe(canvas);
  new MutationObserver(dye).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dye);
  root.dataset.state = "ready";
};

const offer = () => {
  const root = document.getElementById("before-after");
  if (!root || root.dataset.state) return;
  root.dataset.state = "begun";
  begin(root).catch(() => {
    root.querySelector(".map-stage").hidden = true;
    root.querySelector("img").hidden = false;
    root.dataset.state = "pictured";
  });
};
document.addEventListener("htmx:load", offer);
offer();
