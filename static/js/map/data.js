// What the server knows of the map, as typed arrays in the order of its records.

export const NONE = 4294967295;

export const fetchJson = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error((await answer.json()).title || "The server did not respond. Check the connection and reload the page.");
  return answer.json();
};

const bytes = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error("The map could not be loaded. Reload the page to try again.");
  return answer.arrayBuffer();
};

// Coordinates: 2n float32, then n uint32. See read_points in app/maps/api.py.
export const fetchPoints = async (base, version) => {
  const raw = await bytes(`${base}/points?version=${version.number}&revision=${version.revision}`);
  const n = raw.byteLength / 12;
  return { n, xy: new Float32Array(raw, 0, 2 * n), ids: new Uint32Array(raw, 8 * n, n) };
};

// Four times n uint32, then n uint8. See read_values there.
export const fetchValues = async (base, version) => {
  const raw = await bytes(`${base}/values?version=${version.number}&revision=${version.revision}`);
  const n = raw.byteLength / 17;
  const whole = (at) => new Uint32Array(raw, 4 * n * at, n);
  return {
    labeledAt: whole(0), labels: whole(1), annotators: whole(2), suggestions: whole(3),
    confidences: new Uint8Array(raw, 16 * n, n),
  };
};

export const loadMap = async (base, number) => {
  const header = await fetchJson(`${base}?version=${number}`);
  const version = header.versions.find((each) => each.number === header.version);
  const [where, what] = await Promise.all([fetchPoints(base, version), fetchValues(base, version)]);
  return { header, version, ...where, ...what };
};

// The row of each id, by halving: both lists are ascending.
export const findRow = (ids, id) => {
  let low = 0;
  let high = ids.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (ids[middle] === id) return middle;
    if (ids[middle] < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
};

// Where `data`'s records lay on another map; one that was not there has always been in its place.
export const matchPlaces = (data, other) => {
  const xy = data.xy.slice();
  let at = 0;
  for (let row = 0; row < data.n; row += 1) {
    while (at < other.n && other.ids[at] < data.ids[row]) at += 1;
    if (at < other.n && other.ids[at] === data.ids[row]) {
      xy[2 * row] = other.xy[2 * at];
      xy[2 * row + 1] = other.xy[2 * at + 1];
    }
  }
  return xy;
};
