// The whole of a long text, a record's fields and its copies: fetched when they are asked for.
import { showNotice } from "../notice.js";

export const createRecordTexts = (root, announcer) => {
  const { project, session } = root.dataset;
  const base = `/projects/${project}/sessions/${session}`;

  const read = async (url) => {
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return response.text();
    showNotice("Loading failed: the server cannot be reached.", "bad");
    return null;
  };

  const shorten = (row, box) => {
    box.remove();
    row.querySelector(".record-text").hidden = false;
    delete row.dataset.whole;
  };

  // A box of its own that scrolls, so that a book does not push the other rows away.
  const whole = async (row) => {
    const before = row?.querySelector(".whole-text");
    if (before) {
      shorten(row, before);
      return;
    }
    if (!row?.querySelector(".whole")) {
      announcer.toast("The full text is already shown.", false);
      return;
    }
    const text = await read(`${base}/texts/${row.dataset.rank}`);
    if (text === null || row.querySelector(".whole-text")) return;
    const box = document.createElement("div");
    box.className = "record-text whole-text";
    box.dir = "auto";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Full text");
    box.textContent = text;
    const start = row.querySelector(".record-text");
    start.hidden = true;
    start.after(box);
    row.dataset.whole = "yes";
    row.scrollIntoView({ block: "nearest" });
  };

  // Below the text of the row, or gone again. name: its class, and its place at the server.
  const toggle = async (row, name) => {
    const before = row?.querySelector(`.${name}`);
    if (before) before.remove();
    if (before || !row) return;
    const page = await read(`${base}/${name}/${row.dataset.rank}`);
    if (page === null || row.querySelector(`.${name}`)) return;
    const parsed = new DOMParser().parseFromString(page, "text/html");
    const shown = document.importNode(parsed.querySelector(`.${name}`), true);
    row.querySelector(".what").append(shown);
    row.scrollIntoView({ block: "nearest" });
    announcer.announce(shown.textContent.replace(/\s+/g, " ").trim().slice(0, 300));
  };

  return { whole, fields: (row) => toggle(row, "fields"), copies: (row) => toggle(row, "copies") };
};
