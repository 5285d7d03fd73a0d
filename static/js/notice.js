// A message at the head of the page.

export const showNotice = (sentence, kind) => {
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
