// The comment and the keys, shown over the labeling page.
export const createDialogs = (root, keys, labelKeys) => {
  const comment = root.querySelector("#comment");
  const help = root.querySelector("#help");
  const trouble = root.querySelector("#key-trouble");
  const list = root.querySelector("#key-list");
  let changing = null;

  // Answers with the value of the button that closed it; "" for Escape.
  const answerOf = (dialog) =>
    new Promise((resolve) => {
      dialog.returnValue = "";
      dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
      dialog.showModal();
    });

  const ask = async () => {
    const body = comment.querySelector("textarea");
    body.value = "";
    return (await answerOf(comment)) === "save" ? body.value.trim() : "";
  };

  const element = (tag, text, className = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = className;
    return made;
  };

  // of: what has the keys, a command's name or a label's id.
  const row = (of, held, words) => {
    const caps = document.createElement("td");
    for (const key of held) caps.append(element("kbd", keys.capOf(key)), " ");
    const change = element("button", changing === of ? "Press a key" : "Change", "quiet small");
    change.type = "button";
    change.addEventListener("click", () => {
      changing = of;
      render();
      buttonOf(of).focus();
    });
    change.setAttribute("aria-label", changing === of ? "Press a key" : `Change the shortcut: ${words}`);
    const last = document.createElement("td");
    last.append(change);
    const made = document.createElement("tr");
    made.dataset[typeof of === "number" ? "label" : "command"] = of;
    made.append(caps, element("td", words), last);
    return made;
  };

  const buttonOf = (of) => list.querySelector(`[data-command="${of}"] button, [data-label="${of}"] button`);

  const group = (title, rows) => {
    const made = document.createElement("section");
    made.dataset.group = title;
    const table = document.createElement("table");
    table.append(document.createElement("tbody"));
    table.tBodies[0].append(...rows);
    table.setAttribute("aria-label", title);
    made.append(element("h3", title), table);
    return made;
  };

  const labelRows = () => labelKeys.labels.map(({ id, name }) => row(id, labelKeys.keysOf(id), name));
  const commandRows = (commands) => commands.map((command) => row(command, keys.keysOf(command), keys.words[command]));

  const render = () => {
    list.querySelectorAll("[data-group]").forEach((each) => each.remove());
    list.append(...Object.entries(keys.groups).map(([title, commands]) => group(title, commandRows(commands))));
    if (labelKeys.labels.length > 0) list.append(group("Labels", labelRows()));
  };

  const showTrouble = (sentence) => {
    trouble.textContent = sentence;
    trouble.hidden = !sentence;
  };

  const post = async (choices) => {
    const response = await fetch("/me/preferences", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ keys: keys.own, ...choices }),
    }).catch(() => null);
    showTrouble(response?.ok ? "" : "Your shortcuts could not be saved. They apply until you leave this page.");
  };

  let kept = Promise.resolve();
  const keep = (choices = labelKeys.choices) => (kept = post(choices));

  // Backspace and Delete take a label's letter away. Answers with why the key cannot be had.
  const give = (of, key) => {
    const isLabel = typeof of === "number";
    const isErased = isLabel && ["Backspace", "Delete"].includes(key);
    const why = isErased ? null : isLabel ? keys.labelTrouble(of, key) : keys.trouble(of, key);
    if (why !== null) return why;
    if (isErased) labelKeys.take(of);
    else if (isLabel) labelKeys.give(of, key);
    else keys.own[of] = key;
    keep();
    return "";
  };

  const change = (event) => {
    if (changing === null || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const of = changing;
    changing = null;
    showTrouble(event.key === "Escape" ? "" : give(of, keys.nameOf(event)));
    render();
    keys.paintCaps(document);
    buttonOf(of).focus();
  };

  help.addEventListener("keydown", change, true);
  help.addEventListener("cancel", (event) => {
    if (changing !== null) event.preventDefault();
  });
  help.addEventListener("close", () => kept.then(labelKeys.redraw));
  help.querySelector("[data-close-dialog]").addEventListener("click", () => help.close());
  root.querySelector("#keys-reset").addEventListener("click", () => {
    for (const command of Object.keys(keys.own)) delete keys.own[command];
    keep(labelKeys.usual).then(labelKeys.renew);
  });

  return {
    ask,
    showHelp() {
      render();
      help.showModal();
    },
    rerender: () => help.open && render(),
    get isOpen() {
      return root.querySelector("dialog[open]") !== null;
    },
  };
};
