// Words sought on the map: how many records hold them, and which.
(() => {
  const { map } = window.likewise;

  // matched: told the ids found, or null once nothing is sought.
  map.search = (root, base, tried, matched) => {
    const form = root.querySelector("#map-search");
    const count = root.querySelector("#map-matches");

    const seek = async (words) => {
      const found = words.trim() ? await map.json(`${base}/matches?q=${encodeURIComponent(words)}`) : null;
      const n = found?.n_matching;
      count.textContent = found ? `${n.toLocaleString("en")} match${n === 1 ? "" : "es"}` : "";
      matched(found && found.record_ids);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => seek(form.elements.q.value));
    });
    form.elements.q.addEventListener("search", () => form.elements.q.value || tried(() => seek("")));
    return { forget: () => (count.textContent = "") };
  };
})();
