// The comment and the keys, shown over the labeling page.
(() => {
  window.likewise.dialogs = (root, keys) => {
    const comment = root.querySelector("#comment");
    const help = root.querySelector("#help");
    const trouble = root.querySelector("#key-trouble");
    const list = root.querySelector("#key-list");
    let changing = null;

    const ask = () =>
      new Promise((resolve) => {
        const body = comment.querySelector("textarea");
        body.value = "";
        comment.returnValue = "";
        comment.addEventListener(
          "close",
          () => resolve(comment.returnValue === "save" ? body.value.trim() : ""),
          { once: true },
        );
        comment.showModal();
      });

    const element = (tag, text, className = "") => {
      const made = document.createElement(tag);
      made.textContent = text;
      made.className = className;
      return made;
    };

    const row = (deed) => {
      const caps = document.createElement("td");
      for (const key of keys.keysOf(deed)) caps.append(element("kbd", keys.capOf(key)), " ");
      const change = element("button", changing === deed ? "Press a key" : "Change", "quiet small");
      change.type = "button";
      change.addEventListener("click", () => {
        changing = deed;
        paint();
        list.querySelector(`[data-deed="${deed}"] button`).focus();
      });
      change.setAttribute("aria-label", changing === deed ? "Press a key" : `Change the key: ${keys.words[deed]}`);
      const last = document.createElement("td");
      last.append(change);
      const made = document.createElement("tr");
      made.dataset.deed = deed;
      made.append(caps, element("td", keys.words[deed]), last);
      return made;
    };

    const group = ([title, deeds]) => {
      const made = document.createElement("section");
      made.dataset.group = title;
      const table = document.createElement("table");
      table.append(document.createElement("tbody"));
      table.tBodies[0].append(...deeds.map(row));
      table.setAttribute("aria-label", title);
      made.append(element("h3", title), table);
      return made;
    };

    const paint = () => {
      list.querySelectorAll("[data-group]").forEach((each) => each.remove());
      list.append(...Object.entries(keys.groups).map(group));
    };

    const tell = (sentence) => {
      trouble.textContent = sentence;
      trouble.hidden = !sentence;
    };

    const keep = async () => {
      const response = await fetch("/me/preferences", {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ keys: keys.own }),
      }).catch(() => null);
      tell(response?.ok ? "" : "Your keys could not be stored; they hold until this page is left.");
    };

    const change = (event) => {
      if (changing === null || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      const deed = changing;
      const key = keys.nameOf(event);
      changing = null;
      const why = event.key === "Escape" ? "" : keys.trouble(deed, key);
      if (event.key !== "Escape" && why === null) {
        keys.own[deed] = key;
        keep();
      }
      tell(why ?? "");
      paint();
      keys.paintCaps(document);
      list.querySelector(`[data-deed="${deed}"] button`).focus();
    };

    help.addEventListener("keydown", change, true);
    help.addEventListener("cancel", (event) => {
      if (changing !== null) event.preventDefault();
    });
    help.querySelector("[data-close-dialog]").addEventListener("click", () => help.close());
    root.querySelector("#keys-reset").addEventListener("click", () => {
      for (const deed of Object.keys(keys.own)) delete keys.own[deed];
      keep();
      paint();
      keys.paintCaps(document);
    });

    return {
      ask,
      showHelp() {
        paint();
        help.showModal();
      },
      get isOpen() {
        return root.querySelector("dialog[open]") !== null;
      },
    };
  };
})();
