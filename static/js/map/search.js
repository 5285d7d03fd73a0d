// Words sought on the map: how many records hold them, and which.
import { fetchJson } from "./data.js";

// matched: called with the ids found, or null once nothing is sought.
export const createSearch = (root, base, attempt, matched) => {
  const form = root.querySelector("#map-search");
  const count = root.querySelector("#map-matches");

  const seek = async (words) => {
    const found = words.trim() ? await fetchJson(`${base}/matches?q=${encodeURIComponent(words)}`) : null;
    const n = found?.n_matching;
    count.textContent = found ? `${n.toLocaleString("en")} match${n === 1 ? "" : "es"}` : "";
    matched(found && found.record_ids);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => seek(form.elements.q.value));
  });
  form.elements.q.addEventListener("search", () => form.elements.q.value || attempt(() => seek("")));
  return { forget: () => (count.textContent = "") };
};
