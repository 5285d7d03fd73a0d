// What the colours mean: for each way of colouring, the classes, and which one each record is of.
import { NONE } from "./data.js";

// Colour slots: 0 grey, 1 to 20 the labels' colours, 21 "none of these", 22 to 26 a scale.
const NOBODY = { name: "unlabeled", css: "map-rest", slot: 0 };
const DAY = 86400;
const SCALE = 22;

const ofLabel = (label) => ({ name: label.name, css: `label-${label.colour}`, slot: 1 + label.colour });
const ofStep = (name, step) => ({ name, css: `map-scale-${step}`, slot: SCALE + step });

// A list of classes, and for each record its place in it, by a key of the record.
const byKey = (data, keyed, keyOf) => {
  const classes = [...keyed.values()];
  const place = new Map([...keyed.keys()].map((key, at) => [key, at]));
  const of = new Uint16Array(data.n);
  for (let row = 0; row < data.n; row += 1) {
    let at = place.get(keyOf(row));
    if (at === undefined) at = place.get(0);
    of[row] = at;
  }
  return { classes, of };
};

const labels = (data, keyOf, rest) => {
  const keyed = new Map(data.header.labels.map((label) => [label.id, ofLabel(label)]));
  keyed.set(NONE, { name: "none of these", css: "label-none", slot: 21 });
  keyed.set(0, rest);
  return byKey(data, keyed, keyOf);
};

const steps = (data, named, rest, stepOf) => {
  const keyed = new Map(named.map((name, at) => [named.length - at, ofStep(name, named.length - 1 - at)]));
  keyed.set(0, rest);
  return byKey(data, keyed, stepOf);
};

const ways = {
  label: (data) => labels(data, (row) => data.labels[row], NOBODY),
  suggestion: (data) => labels(data, (row) => data.suggestions[row], { ...NOBODY, name: "no suggestion" }),
  annotator: (data) => {
    const keyed = new Map(data.header.annotators.map((person, at) => [person.id, { name: person.name, css: `label-${at % 20}`, slot: 1 + (at % 20) }]));
    keyed.set(-1, { name: "imported", css: "label-none", slot: 21 });
    keyed.set(0, NOBODY);
    return byKey(data, keyed, (row) => (data.labels[row] ? data.annotators[row] || -1 : 0));
  },
  time: (data) => {
    const now = Date.now() / 1000;
    const ages = [DAY / 24, DAY, 7 * DAY, 30 * DAY, Infinity];
    const named = ["in the last hour", "in the last day", "in the last week", "in the last 30 days", "earlier"];
    return steps(data, named, NOBODY, (row) =>
      data.labeledAt[row] ? 5 - ages.findIndex((age) => now - data.labeledAt[row] <= age) : 0,
    );
  },
  confidence: (data) => {
    const least = [95, 80, 60, 40, 0];
    const named = ["95 % or more", "80 to 95 %", "60 to 80 %", "40 to 60 %", "below 40 %"];
    return steps(data, named, { ...NOBODY, name: "no suggestion" }, (row) =>
      data.suggestions[row] ? 5 - least.findIndex((each) => data.confidences[row] >= each) : 0,
    );
  },
};

// The classes that occur, with their counts, and each record's class.
export const classifyRecords = (data, way) => {
  const { classes, of } = ways[way](data);
  const counts = new Uint32Array(classes.length);
  for (let row = 0; row < data.n; row += 1) counts[of[row]] += 1;
  return { classes: classes.map((each, at) => ({ ...each, n: counts[at], at })), of };
};

// 32 colours as the sheet says them now, rgba in [0, 1].
export const readColours = (place) => {
  const names = ["map-rest", ...Array.from({ length: 20 }, (_, at) => `label-${at}`), "label-none"];
  for (let step = 0; step < 5; step += 1) names.push(`map-scale-${step}`);
  const colours = new Float32Array(32 * 4);
  const probe = document.createElement("span");
  place.append(probe);
  names.forEach((name, slot) => {
    probe.className = `map-probe ${name}`;
    const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
    colours.set([r / 255, g / 255, b / 255, slot ? 0.92 : 0.45], 4 * slot);
  });
  probe.remove();
  return colours;
};
