// Small courtesies of every page. Nothing works only with this file.
(() => {
  const notice = (sentence, kind) => {
    const place = document.getElementById("notice");
    const box = document.createElement("div");
    box.className = `notice is-${kind}`;
    box.setAttribute("role", kind === "bad" ? "alert" : "status");
    const words = document.createElement("p");
    words.textContent = sentence;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.dataset.close = "";
    close.setAttribute("aria-label", "Close this message");
    close.textContent = "×";
    box.append(words, close);
    place.replaceChildren(box);
  };
  Object.assign(window.likewise, { notice });

  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 1500);
  };

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest?.(selector);
    at("[data-close]")?.closest(".notice")?.remove();
    const button = at("[data-copy]");
    if (button) copy(button);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  });

  // On a phone the tabs run out of the page: the current one shall be seen.
  document
    .querySelector(".tabs [aria-current]")
    ?.scrollIntoView({ block: "nearest", inline: "center" });

  // A form that asks first: <form data-confirm="Really?">.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // However a request was made, its error never replaces what it was meant for.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!detail.isError) return;
    detail.target = document.getElementById("notice");
    detail.swapOverride = "innerHTML";
    detail.selectOverride = ".notice";
  });
  document.addEventListener("htmx:sendError", () =>
    notice("The server did not answer. What you see may be out of date.", "bad"),
  );
  document.addEventListener("htmx:timeout", () =>
    notice("The server took too long to answer. Try again.", "bad"),
  );
})();
