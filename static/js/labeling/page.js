// The labeling page: a key or a click becomes a command. Without this file every row has its own form.
import { addLabel } from "./add_label.js";
import { createAnnotations } from "./annotations.js";
import { createAnnouncer } from "./announcer.js";
import { createCommands } from "./commands.js";
import { createDialogs } from "./dialogs.js";
import { createKeyHandler } from "./key_handler.js";
import { createKeys } from "./keys.js";
import { createLabelKeys } from "./label_keys.js";
import { createLabelPalette } from "./label_palette.js";
import { createProgress } from "./progress.js";
import { createRecordTexts } from "./record_texts.js";
import { createReranking } from "./reranking.js";
import { createRowCache } from "./row_cache.js";
import { createRowView } from "./row_view.js";
import { createRows } from "./rows.js";
import { createThreshold } from "./threshold.js";
import { createViewSettings } from "./view_settings.js";
import { createVirtualRows } from "./virtual_rows.js";

const root = document.getElementById("session");
const { heldKeys } = window.likewise;
const find = (selector) => root.querySelector(selector);
const clock = { shownAt: performance.now() };

const onFocus = (row) => {
  clock.shownAt = performance.now();
  markLegend(row);
  const place = Number(row.getAttribute("aria-rowindex"));
  find("#card-place").textContent = `${place} of ${virtualRows.order.length}`;
};

const onSelect = (n, nLeftOut) => {
  const words = n === 0 ? "" : `${n.toLocaleString("en")} ${n === 1 ? "row" : "rows"} selected`;
  find("#chosen").hidden = n === 0;
  find("#chosen span").textContent = words;
  announcer.announce(nLeftOut > 0 ? `${words}. The limit for one action is reached.` : words || "No rows selected.");
  if (n === 0) order.released();
};

const announcer = createAnnouncer(root);
const labelKeys = createLabelKeys(root);
const keys = createKeys(JSON.parse(root.dataset.keys || "{}"), labelKeys);
const rowView = createRowView(root);
const rowCache = createRowCache(root);
const virtualRows = createVirtualRows(root, rowCache);
const rows = createRows(root, rowCache, virtualRows, rowView, { focused: onFocus, selected: onSelect });
const progress = createProgress(root);
const dialogs = createDialogs(root, keys, labelKeys);
const annotations = createAnnotations(root, rowCache, rows, rowView, progress, announcer);
const viewSettings = createViewSettings(root, rows, announcer);
const texts = createRecordTexts(root, announcer);
const threshold = createThreshold(root, rowCache, rows, rowView);
const order = createReranking(root, { rowCache, virtualRows, rows, rowView, viewSettings, announcer, progress });
const { commands, markLegend } = createCommands(root, { rows, rowView, annotations, dialogs, viewSettings, texts, threshold, announcer, clock });
const palette = createLabelPalette(root, { rowView, viewSettings, keys, labelKeys }, (labelId) => {
  commands.label(labelId);
  rows.focused()?.focus({ preventScroll: true });
});
commands.palette = palette.open;
labelKeys.onShown(() => {
  keys.paintCaps(document);
  dialogs.rerender();
  markLegend(rows.focused());
});

// --- keys ------------------------------------------------------------------------------------

const run = (command, labelId) => virtualRows.whenThere(() => commands[command](labelId));
document.addEventListener("keydown", createKeyHandler({ keys, dialogs, run }));

// --- pointers --------------------------------------------------------------------------------

const onRowClick = (event, row) => {
  if (event.shiftKey) {
    getSelection()?.removeAllRanges();
    rows.selectRange(rows.focused() ?? row, row);
  } else if (event.ctrlKey || event.metaKey) {
    rows.select(row, row.getAttribute("aria-selected") !== "true");
  } else if (getSelection()?.isCollapsed !== false) {
    rows.clearSelection();
    rows.focus(row);
  }
};

root.addEventListener("click", (event) => {
  const link = event.target.closest("[data-view-link]");
  const button = event.target.closest("button[data-do], a[data-do]");
  const row = event.target.closest(".record-row");
  if (link) {
    event.preventDefault();
    viewSettings.setView(link.dataset.viewLink);
  } else if (button) {
    event.preventDefault();
    if (row) rows.focus(row);
    commands[button.dataset.do](Number(button.dataset.label));
    if (!dialogs.isOpen && button.dataset.do !== "threshold") rows.focused()?.focus({ preventScroll: true });
  } else if (row && !event.target.closest("a, summary, .whole-text, .fields, .copies")) onRowClick(event, row);
});

root.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.do) {
    event.preventDefault();
    commands[form.dataset.do]();
    rows.focused()?.focus({ preventScroll: true });
  } else if (form.matches(".add-label")) {
    event.preventDefault();
    rows.focused()?.focus({ preventScroll: true });
    // A key pressed next may be the new label's.
    heldKeys.during(addLabel(root, form, labelKeys));
  } else if (form.matches(".jump")) {
    event.preventDefault();
    find("#view-settings").open = false;
    rows.jump(Number(form.elements.at.value) - 1);
  }
});

window.addEventListener("beforeunload", (event) => {
  if (rowCache.isPending) event.preventDefault();
});

// What lies at the head and, on a small screen, at the foot covers the rows: nothing else may.
const measure = () => {
  const isBar = getComputedStyle(find(".legend")).position === "fixed";
  const { style } = document.documentElement;
  style.setProperty("--bar", isBar ? `${find(".legend").offsetHeight}px` : "0px");
  style.setProperty("--head", `${find(".session-head").offsetHeight}px`);
};
const sizes = new ResizeObserver(measure);
for (const part of [".legend", ".session-head"]) sizes.observe(find(part));

// --- begin -----------------------------------------------------------------------------------

keys.paintCaps(document);
rowCache.dress(keys.paintCaps);
progress.onChange(order.changed);
// The forecast and what could be accepted follow; in a long session every so many labels.
const FOLLOWED = 500;
let nUnfollowed = 0;
progress.onChange((n) => {
  nUnfollowed += n;
  if (nUnfollowed < Number(root.dataset.records) / FOLLOWED) return;
  nUnfollowed = 0;
  root.dispatchEvent(new Event("labeled"));
});
if (root.dataset.spotCheck === "yes") {
  const isJudged = (row) => ["label", "none"].includes(row.dataset.verdict);
  progress.onChange(() => (find("#n-sampled").textContent = rows.page().filter(isJudged).length));
}
root.classList.add("is-scripted");
// What an earlier page could not send is decided, too: begin after it.
const hasPosition = new URLSearchParams(location.search).has("at");
const open = hasPosition ? null : rows.page().find((row) => !rowView.isDecided(row));
// Who writes in a field already goes on writing.
const isWriting = document.activeElement?.matches("input, textarea, select");
rows.focus(open ?? rows.focused(), !isWriting);
annotations.sendNow();
order.ask();
heldKeys.release();
