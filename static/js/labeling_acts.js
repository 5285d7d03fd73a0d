// Acts on their way: painted at once, called saved when the server said so, taken back at will.
(() => {
  window.likewise.acts = (root, pool, rows, paint, progress, told) => {
    const { project, session, user } = root.dataset;
    const api = `/api/v1/projects/${project}`;
    const sessionId = Number(session);
    const find = (selector) => root.querySelector(selector);
    const next = { undo: Number(root.dataset.undo) || null, redo: Number(root.dataset.redo) || null };
    const SAVED = { label: "Saved", remark: "Saved", accept: "Accepted", undo: "Undone", redo: "Done again" };
    const done = [];
    const undone = [];
    const newKey = () =>
      crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");

    // --- what happens to an act on its way -------------------------------------------------------

    const recordsOf = (deed) => deed.records ?? [];

    // An undo of something older than this page: by now the server has told which act that is.
    const prepare = (deed) => {
      if (!deed.isNext) return true;
      deed.body.act_id ??= next[deed.kind];
      if (deed.body.act_id) return true;
      told.toast(`There is nothing to ${deed.kind}.`, false);
      return false;
    };

    const isWaiting = (recordId) => outbox.waiting.some((deed) => recordsOf(deed).includes(recordId));

    const onSaved = (deed, answer) => {
      next.undo = answer.undo_id;
      next.redo = answer.redo_id;
      const n = answer.records.length;
      if ((deed.session ?? deed.body.session_id) === sessionId) progress.saved(answer.progress, deed.gained ?? 0, n);
      for (const record of answer.records) settle(record, deed.kind === "undo" ? "undone" : "saved");
      told.tell(SAVED[deed.kind] + (deed.words ? `: ${deed.words}.` : "."));
      if (deed.kind === "accept") told.toast(`Accepted ${n.toLocaleString("en")} ${n === 1 ? "suggestion" : "suggestions"}.`);
      if (deed.kind !== "remark") progress.changed(n);
      if (deed.isNext && n > 0) rows.comeBack(answer.records.map((each) => each.record_id));
    };

    const settle = (record, words) => {
      const row = pool.ofRecord(record.record_id);
      if (!row || isWaiting(record.record_id)) return;
      if (row.dataset.pending === undefined) paint.say(row, record.verdict, record.label_ids);
      paint.flag(row, record.is_flagged);
      paint.agreement(row, record.consensus);
      paint.state(row, "saved", words);
    };

    const onRefused = (deed, sentence) => {
      for (const acts of [done, undone]) acts.splice(0, acts.length, ...acts.filter((act) => act.key !== deed.id));
      for (const id of recordsOf(deed)) {
        const row = pool.ofRecord(id);
        if (!row) continue;
        const before = deed.before?.[id];
        if (before) paint.say(row, before.verdict, before.labels);
        paint.state(row, "refused");
      }
      window.likewise.notice(`Not ${deed.kind === "accept" ? "accepted" : "saved"}: ${sentence}`, "bad");
    };

    const onTrouble = (what) => {
      for (const id of outbox.waiting.flatMap(recordsOf)) {
        const row = pool.ofRecord(id);
        if (row) paint.state(row, what === null ? "saving" : "unsaved");
      }
      told.trouble(what);
    };

    // --- saying something ------------------------------------------------------------------------

    const standing = (row) => ({ verdict: row.dataset.verdict, labels: paint.labelsOf(row) });

    const sayOf = (row, verdict, labels, shownAt) => {
      const best = paint.suggestionsOf(row)[0];
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
        paint.say(row, verdict, labels);
        paint.state(row, "saving");
      }
      done.push({ key, before, after: Object.fromEntries(what.map(([row, verdict, labels]) => [row.dataset.record, { verdict, labels }])) });
      undone.length = 0;
      const body = { key, session_id: sessionId, source, says };
      const words = what.length === 1 ? wordsOf(what[0]) : `${what.length} records`;
      const gained = records.length - nDecided(before);
      outbox.add({ id: key, at: Date.now(), kind: "label", url: `${api}/annotations`, body, records, before, gained, words });
    };

    const nDecided = (standings) => Object.values(standings).filter((each) => each.verdict !== "").length;

    const wordsOf = ([, verdict, labels]) =>
      verdict === "label" ? labels.map(paint.nameOf).join(", ") : verdict.replace("_", " ");

    // All that is suggested in the session, after what was said before. The page stays: what is
    // pressed next, an undo above all, follows in the same line.
    const acceptSession = () => {
      if (outbox.waiting.some((deed) => deed.kind === "accept")) return;
      const key = newKey();
      done.push({ key, before: {}, after: {} });
      undone.length = 0;
      const url = `${api}/sessions/${sessionId}/accept`;
      const fields = Object.fromEntries(new FormData(find("form[data-do=accept_session]")));
      outbox.add({ id: key, at: Date.now(), kind: "accept", url, body: { ...fields, key }, session: sessionId });
    };

    // --- taking it back --------------------------------------------------------------------------

    const takeBack = (kind) => {
      const [from, to] = kind === "undo" ? [done, undone] : [undone, done];
      const act = from.pop();
      const id = newKey();
      const body = { session_id: sessionId };
      const deed = { id, at: Date.now(), kind, url: `${api}/annotations/${kind}`, body, records: [] };
      told.hideToast();
      if (act) {
        to.push(act);
        body.act_key = act.key;
        const was = kind === "undo" ? act.before : act.after;
        deed.records = Object.keys(was).map(Number);
        deed.gained = nDecided(was) - nDecided(kind === "undo" ? act.after : act.before);
        if (!act.remark) deed.was = was;
        for (const recordId of deed.records) repaint(recordId, was[recordId], act, kind);
        rows.clearSelection();
        if (deed.records.length > 0) rows.comeBack(deed.records);
      } else {
        deed.isNext = true;
      }
      outbox.add(deed);
    };

    const repaint = (recordId, was, act, kind) => {
      const row = pool.ofRecord(recordId);
      if (!row) return;
      if (act.remark === "flag") paint.flag(row, kind === "redo");
      else if (act.remark === "comment") row.querySelector(`[data-comment="${act.key}"]`)?.toggleAttribute("hidden", kind === "undo");
      else paint.say(row, was.verdict, was.labels);
      paint.state(row, "saving");
    };

    // --- remarks ---------------------------------------------------------------------------------

    const remark = (row, kind, text) => {
      const key = newKey();
      const record = Number(row.dataset.record);
      const body = { key, session_id: sessionId, record_id: record, kind, body: text };
      const now = { [record]: standing(row) };
      const isOff = kind === "flag" && row.dataset.flagged === "yes";
      if (kind === "flag") paint.flag(row, !isOff);
      else addComment(row, key, text);
      if (!isOff) done.push({ key, before: now, after: now, remark: kind });
      if (!isOff) undone.length = 0;
      paint.state(row, "saving");
      outbox.add({ id: key, at: Date.now(), kind: "remark", url: `${api}/remarks`, body, records: [record] });
    };

    const addComment = (row, key, text) => {
      const span = document.createElement("span");
      span.className = "comment";
      span.dataset.comment = key;
      span.textContent = `“${text}”`;
      row.querySelector(".about").append(span);
    };

    const outbox = window.likewise.outbox(user, {
      prepare,
      saved: onSaved,
      refused: onRefused,
      trouble: onTrouble,
    });

    // A row that is loaded while something about it waits: painted as said, and as not saved.
    pool.dress((row) => {
      const id = Number(row.dataset.record);
      for (const deed of outbox.waiting) {
        if (deed.body.session_id !== sessionId) continue;
        const said = deed.body.says?.find((each) => each.record_id === id);
        const was = said ? { verdict: said.verdict, labels: said.label_ids } : deed.was?.[id];
        if (!was) continue;
        paint.say(row, was.verdict, was.labels);
        paint.state(row, "unsaved");
      }
    });

    // Answers whether all is saved: where it is not, the browser asks before the page is left.
    const whenSaved = async () => {
      for (let i = 0; i < 20 && !outbox.isEmpty; i += 1) await new Promise((resolve) => setTimeout(resolve, 75));
      return outbox.isEmpty && !pool.isPending;
    };

    return { say, acceptSession, takeBack, remark, wordsOf, whenSaved, sendNow: () => outbox.sendNow() };
  };
})();
