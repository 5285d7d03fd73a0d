// Keys of the search page: s opens what was found as a session, / goes to the words.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (isTyping || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "s") document.getElementById("open-session")?.requestSubmit();
  else if (event.key === "/") document.getElementById("search-text")?.focus();
  else return;
  event.preventDefault();
});
