// Around the rows of a session: the next rows before they are needed, the view, a new label.
(() => {
  window.likewise.ahead = (root, rows) => {
    const { project, session } = root.dataset;
    const find = (selector) => root.querySelector(selector);

    let isLoading = false;
    const loadMore = async () => {
      const more = find("#more");
      if (isLoading || !more) return;
      isLoading = true;
      const blocks = root.querySelectorAll("#rows .rows");
      const start = Number(blocks[blocks.length - 1].dataset.start) + Number(root.dataset.page);
      try {
        const ranks = Array.from({ length: Number(root.dataset.page) }, (_, i) => start + i);
        const response = await fetch(`/projects/${project}/sessions/${session}/rows?ranks=${ranks}`);
        if (!response.ok) return;
        const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
        find("#rows").append(document.importNode(parsed.querySelector(".rows"), true));
        if (start + Number(root.dataset.page) >= Number(root.dataset.records)) more.remove();
      } catch {
        // The link below the rows stays, and the next move tries again.
      } finally {
        isLoading = false;
      }
    };

    const lookFrom = (row) => {
      const loaded = rows.all();
      if (loaded.length - loaded.indexOf(row) < 30) loadMore();
    };

    const addLabel = async (form, whenSaved) => {
      const response = await fetch(`/api/v1/projects/${project}/labels`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ name: form.elements.name.value }),
      }).catch(() => null);
      if (!response?.ok) {
        const problem = await response?.json().catch(() => null);
        window.likewise.notice(problem?.title ?? "The label was not added: the server cannot be reached.", "bad");
        return;
      }
      await whenSaved();
      const url = new URL(location.href);
      url.searchParams.set("at", rows.focused()?.dataset.rank ?? 0);
      location.assign(url);
    };

    const setView = (view) => {
      root.dataset.view = view;
      for (const link of root.querySelectorAll("[data-view-link]")) {
        link.toggleAttribute("aria-current", false);
        if (link.dataset.viewLink === view) link.setAttribute("aria-current", "true");
      }
      const url = new URL(location.href);
      url.searchParams.delete("at");
      if (view === "card") url.searchParams.set("view", "card");
      else url.searchParams.delete("view");
      history.replaceState(null, "", url);
      rows.focus(rows.focused());
    };

    return { lookFrom, addLabel, setView };
  };
})();
