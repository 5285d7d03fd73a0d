// The labeling page: a key or a click becomes a deed. Without this file every row has its own form.
(() => {
  const root = document.getElementById("session");
  if (!root) return;
  const { likewise } = window;
  const find = (selector) => root.querySelector(selector);
  const clock = { shownAt: performance.now() };

  const onFocus = (row) => {
    clock.shownAt = performance.now();
    markLegend(row);
    const place = Number(row.getAttribute("aria-rowindex"));
    find("#card-place").textContent = `${place} of ${blocks.order.length}`;
  };

  const onSelect = (n, nLeftOut) => {
    const words = n === 0 ? "" : `${n.toLocaleString("en")} ${n === 1 ? "row" : "rows"} selected`;
    find("#chosen").hidden = n === 0;
    find("#chosen span").textContent = words;
    told.tell(nLeftOut > 0 ? `${words}. One act takes no more.` : words || "Nothing is selected.");
    if (n === 0) order.released();
  };

  const told = likewise.told(root);
  const labelKeys = likewise.labelKeys(root);
  const keys = likewise.keys(JSON.parse(root.dataset.keys || "{}"), labelKeys);
  const paint = likewise.paint(root);
  const pool = likewise.pool(root);
  const blocks = likewise.blocks(root, pool);
  const rows = likewise.rows(root, pool, blocks, paint, { focused: onFocus, selected: onSelect });
  const progress = likewise.progress(root);
  const dialogs = likewise.dialogs(root, keys, labelKeys);
  const acts = likewise.acts(root, pool, rows, paint, progress, told);
  const look = likewise.look(root, rows, told);
  const texts = likewise.texts(root, told);
  const threshold = likewise.threshold(root, pool, rows, paint);
  const order = likewise.order(root, { pool, blocks, rows, paint, look, told, progress });
  const { deeds, markLegend } = likewise.deeds(root, { rows, paint, acts, dialogs, look, texts, threshold, told, clock });
  const palette = likewise.palette(root, { paint, look, keys, labelKeys }, (labelId) => {
    deeds.label(labelId);
    rows.focused()?.focus({ preventScroll: true });
  });
  deeds.palette = palette.open;
  labelKeys.onShown(() => {
    keys.paintCaps(document);
    dialogs.repaint();
    markLegend(rows.focused());
  });

  // --- keys ------------------------------------------------------------------------------------

  // A key that is held down moves through the rows; it must not label them all.
  const REPEATABLE = new Set(["next", "previous"]);
  const SLIDING = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);

  const isTyping = ({ target, key }) =>
    target.matches?.("input[type=range]") ? SLIDING.has(key) : target.closest?.("input, textarea, select, [contenteditable]");
  const isPressing = (event) => event.target.closest?.("button, a, summary") && ["Enter", " "].includes(event.key);
  const isScrolling = (event) => event.target.closest?.(".whole-text") && SLIDING.has(event.key);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || dialogs.isOpen || isTyping(event)) return;
    if (isPressing(event) || isScrolling(event)) return;
    const { deed, labelId } = keys.deedOf(event);
    if (!deed || (event.repeat && !REPEATABLE.has(deed))) return;
    event.preventDefault();
    blocks.whenThere(deed === "label" ? () => deeds.label(labelId) : deeds[deed]);
  });

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
    const row = event.target.closest(".say-row");
    if (link) {
      event.preventDefault();
      look.setView(link.dataset.viewLink);
    } else if (button) {
      event.preventDefault();
      if (row) rows.focus(row);
      deeds[button.dataset.do](Number(button.dataset.label));
      if (!dialogs.isOpen && button.dataset.do !== "threshold") rows.focused()?.focus({ preventScroll: true });
    } else if (row && !event.target.closest("a, summary, .whole-text, .fields, .copies")) onRowClick(event, row);
  });

  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.do) {
      event.preventDefault();
      deeds[form.dataset.do]();
      rows.focused()?.focus({ preventScroll: true });
    } else if (form.matches(".add-label")) {
      event.preventDefault();
      rows.focused()?.focus({ preventScroll: true });
      // A key pressed next may be the new label's.
      likewise.heldKeys.during(likewise.addLabel(root, form, labelKeys));
    } else if (form.matches(".jump")) {
      event.preventDefault();
      find("#look").open = false;
      rows.jump(Number(form.elements.at.value) - 1);
    }
  });

  window.addEventListener("beforeunload", (event) => {
    if (pool.isPending) event.preventDefault();
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
  pool.dress(keys.paintCaps);
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
  if (root.dataset.audited === "yes") {
    const isJudged = (row) => ["label", "none"].includes(row.dataset.verdict);
    progress.onChange(() => (find("#n-sampled").textContent = rows.page().filter(isJudged).length));
  }
  root.classList.add("is-scripted");
  // What an earlier page said and could not send is decided, too: begin after it.
  const isAsked = new URLSearchParams(location.search).has("at");
  const open = isAsked ? null : rows.page().find((row) => !paint.isDecided(row));
  // Who writes in a field already goes on writing.
  const isWriting = document.activeElement?.matches("input, textarea, select");
  rows.focus(open ?? rows.focused(), !isWriting);
  acts.sendNow();
  order.ask();
  likewise.heldKeys.release();
})();
