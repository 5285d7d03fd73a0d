// Acts on their way: painted at once, called saved when the server said so, taken back at will.
(() => {
  window.likewise.acts = (root, rows) => {
    const { project, session, user } = root.dataset;
    const api = `/api/v1/projects/${project}`;
    const sessionId = Number(session);
    const find = (selector) => root.querySelector(selector);
    const next = { undo: Number(root.dataset.undo) || null, redo: Number(root.dataset.redo) || null };
    const done = [];
    const undone = [];
    const tell = (sentence) => (find("#told").textContent = sentence);
    const newKey = () =>
      crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");

    // --- what happens to an act on its way -------------------------------------------------------

    const recordsOf = (deed) => deed.records ?? [];

    // An undo of something older than this page: by now the server has told which act that is.
    const prepare = (deed) => {
      if (!deed.isNext) return true;
      deed.body.act_id ??= next[deed.kind];
      if (deed.body.act_id) return true;
      tell(`There is nothing to ${deed.kind}.`);
      return false;
    };

    const isWaiting = (recordId) => outbox.waiting.some((deed) => recordsOf(deed).includes(recordId));

    const onSaved = (deed, answer) => {
      next.undo = answer.undo_id;
      next.redo = answer.redo_id;
      if (deed.body.session_id === sessionId && answer.progress) paintProgress(answer.progress);
      for (const record of answer.records) settle(record);
      if (deed.kind === "label") return;
      const first = answer.records.map((record) => rows.ofRecord(record.record_id)).find(Boolean);
      if (deed.isNext && first) rows.focus(first);
      if (deed.isNext && answer.act_id && !first) window.likewise.notice(`Took back an act outside of this session.`, "info");
    };

    const settle = (record) => {
      const row = rows.ofRecord(record.record_id);
      if (!row || isWaiting(record.record_id)) return;
      if (row.dataset.pending === undefined) rows.paint(row, record.verdict, record.label_ids);
      rows.paintFlag(row, record.is_flagged);
      rows.setState(row, "saved");
    };

    const onRefused = (deed, sentence) => {
      for (const id of recordsOf(deed)) {
        const row = rows.ofRecord(id);
        if (!row) continue;
        const before = deed.before?.[id];
        if (before) rows.paint(row, before.verdict, before.labels);
        rows.setState(row, "refused");
      }
      window.likewise.notice(`Not saved: ${sentence}`, "bad");
    };

    const onTrouble = (what) => {
      const banner = find("#unsaved");
      banner.hidden = what === null;
      for (const deed of outbox.waiting) {
        for (const id of recordsOf(deed)) {
          const row = rows.ofRecord(id);
          if (row) rows.setState(row, what === null ? "saving" : "unsaved");
        }
      }
      if (what === null) return;
      const n = what.count;
      const again = what.seconds === null ? "" : ` Trying again in ${what.seconds} s.`;
      banner.querySelector("span").textContent = `${n} ${n === 1 ? "change is" : "changes are"} not saved yet. ${what.sentence}${again}`;
    };

    const paintProgress = (progress) => {
      find("[data-progress=labeled]").textContent = progress.n_labeled.toLocaleString("en");
      find("[data-progress=decided]").textContent = progress.n_decided.toLocaleString("en");
      find("#progress").value = progress.n_decided;
      find("#finished").hidden = progress.n_decided < progress.n_records;
      const counts = new Map(progress.by_label.map((each) => [String(each.label_id), each.n]));
      for (const place of root.querySelectorAll("[data-count]")) {
        place.textContent = counts.get(place.dataset.count) ?? "";
      }
    };

    // --- saying something ------------------------------------------------------------------------

    const standing = (row) => ({ verdict: row.dataset.verdict, labels: rows.labelsOf(row) });

    const sayOf = (row, verdict, labels, shownAt) => {
      const best = rows.suggestionsOf(row)[0];
      return {
        record_id: Number(row.dataset.record),
        verdict,
        label_ids: labels,
        rank: Number(row.dataset.rank),
        similarity: row.dataset.similarity === undefined ? null : Number(row.dataset.similarity),
        suggestion_id: best?.[0] ?? null,
        suggestion_score: best?.[1] ?? null,
        milliseconds: row === rows.focused() ? Math.round(performance.now() - shownAt) : null,
      };
    };

    // what: [[row, verdict, labels], …]; one act, whatever their number.
    const say = (what, source, shownAt) => {
      const key = newKey();
      const says = what.map(([row, verdict, labels]) => sayOf(row, verdict, labels, shownAt));
      const before = Object.fromEntries(what.map(([row]) => [row.dataset.record, standing(row)]));
      const records = says.map((each) => each.record_id);
      for (const [row, verdict, labels] of what) {
        rows.paint(row, verdict, labels);
        rows.setState(row, "saving");
      }
      done.push({ key, before, after: Object.fromEntries(what.map(([row, verdict, labels]) => [row.dataset.record, { verdict, labels }])) });
      undone.length = 0;
      const body = { key, session_id: sessionId, source, says };
      outbox.add({ id: key, at: Date.now(), kind: "label", url: `${api}/annotations`, body, records, before });
      tell(what.length === 1 ? wordsOf(what[0]) : `${what.length} records`);
    };

    const wordsOf = ([, verdict, labels]) =>
      verdict === "label" ? labels.map((id) => find(`#legend [data-label="${id}"] .name`)?.textContent ?? "").join(", ") : verdict.replace("_", " ");

    // --- taking it back --------------------------------------------------------------------------

    const takeBack = (kind) => {
      const [from, to] = kind === "undo" ? [done, undone] : [undone, done];
      const act = from.pop();
      const id = newKey();
      const body = { session_id: sessionId };
      const deed = { id, at: Date.now(), kind, url: `${api}/annotations/${kind}`, body, records: [] };
      hideToast();
      if (act) {
        to.push(act);
        body.act_key = act.key;
        const was = kind === "undo" ? act.before : act.after;
        deed.records = Object.keys(was).map(Number);
        for (const recordId of deed.records) repaint(recordId, was[recordId], act, kind);
        rows.clearSelection();
        rows.focus(rows.ofRecord(deed.records[0]));
      } else {
        deed.isNext = true;
      }
      outbox.add(deed);
      tell(kind === "undo" ? "Undone." : "Done again.");
    };

    const repaint = (recordId, was, act, kind) => {
      const row = rows.ofRecord(recordId);
      if (!row) return;
      if (act.remark === "flag") rows.paintFlag(row, kind === "redo");
      else if (act.remark === "comment") row.querySelector(`[data-comment="${act.key}"]`)?.toggleAttribute("hidden", kind === "undo");
      else rows.paint(row, was.verdict, was.labels);
      rows.setState(row, "saving");
    };

    // --- remarks ---------------------------------------------------------------------------------

    const remark = (row, kind, text) => {
      const key = newKey();
      const record = Number(row.dataset.record);
      const body = { key, session_id: sessionId, record_id: record, kind, body: text };
      const now = { [record]: standing(row) };
      const isOff = kind === "flag" && row.dataset.flagged === "yes";
      if (kind === "flag") rows.paintFlag(row, !isOff);
      else addComment(row, key, text);
      if (!isOff) done.push({ key, before: now, after: now, remark: kind });
      if (!isOff) undone.length = 0;
      rows.setState(row, "saving");
      outbox.add({ id: key, at: Date.now(), kind: "remark", url: `${api}/remarks`, body, records: [record] });
    };

    const addComment = (row, key, text) => {
      const span = document.createElement("span");
      span.className = "comment";
      span.dataset.comment = key;
      span.textContent = `“${text}”`;
      row.querySelector(".about").append(span);
    };

    let toastTimer = null;
    const toast = (sentence) => {
      const place = find("#toast");
      place.querySelector("span").textContent = sentence;
      place.hidden = false;
      clearTimeout(toastTimer);
      toastTimer = setTimeout(hideToast, 8000);
    };
    const hideToast = () => (find("#toast").hidden = true);

    const outbox = window.likewise.outbox(user, {
      prepare,
      saved: onSaved,
      refused: onRefused,
      trouble: onTrouble,
    });

    // What an earlier page could not send is painted again, as not saved.
    for (const deed of outbox.waiting) {
      const says = deed.kind === "label" && deed.body.session_id === sessionId ? deed.body.says : [];
      for (const each of says) {
        const row = rows.ofRecord(each.record_id);
        if (row) rows.paint(row, each.verdict, each.label_ids);
        if (row) rows.setState(row, "unsaved");
      }
    }

    const whenSaved = async () => {
      for (let i = 0; i < 20 && !outbox.isEmpty; i += 1) await new Promise((resolve) => setTimeout(resolve, 75));
    };

    return { say, takeBack, remark, tell, toast, wordsOf, whenSaved, sendNow: () => outbox.sendNow() };
  };
})();
