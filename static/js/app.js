// Small courtesies of every page. Nothing works only with this file.

import { showNotice } from "./notice.js";

// For the script of early keys, which no module can import.
window.likewise.showNotice = showNotice;

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
  showNotice("The server did not answer. What you see may be out of date.", "bad"),
);
document.addEventListener("htmx:timeout", () =>
  showNotice("The server took too long to answer. Try again.", "bad"),
);
