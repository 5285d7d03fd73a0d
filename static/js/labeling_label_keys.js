// Which key gives which label: a digit by its place, and a letter that the user chose for it.
(() => {
  const DIGITS = [..."1234567890"];

  window.likewise.labelKeys = (root) => {
    const { projectId } = root.dataset;
    const labels = JSON.parse(root.querySelector("#palette").dataset.labels);
    const buttons = [...root.querySelectorAll("#legend [data-label]")];
    const held = (name) =>
      new Map(buttons.filter((each) => each.dataset[name]).map((each) => [each.dataset[name], Number(each.dataset.label)]));
    const digits = held("key");
    const letters = held("letter");
    let hasChanged = false;

    const keyIn = (keys, id) => [...keys].find(([, label]) => label === id)?.[0] ?? "";
    const nameOf = (id) => labels.find((each) => each.id === id)?.name ?? "";

    // The two labels change places.
    const giveDigit = (id, digit) => {
      const before = keyIn(digits, id);
      const other = digits.get(digit);
      if (before) digits.delete(before);
      if (before && other) digits.set(before, other);
      digits.set(digit, id);
    };

    const takeLetter = (id) => letters.delete(keyIn(letters, id));

    return {
      labels,
      ofDigit: (digit) => digits.get(digit) ?? null,
      ofLetter: (letter) => letters.get(letter) ?? null,
      keysOf: (id) => [keyIn(letters, id), keyIn(digits, id)].filter(Boolean),
      // Why no label can have this letter, as far as labels know; or null.
      trouble(id, key) {
        const other = letters.get(key);
        return other && other !== id ? `It gives the label “${nameOf(other)}”.` : null;
      },
      give(id, key) {
        hasChanged = true;
        if (DIGITS.includes(key)) giveDigit(id, key);
        else {
          takeLetter(id);
          letters.set(key, id);
        }
      },
      take(id) {
        hasChanged = takeLetter(id) || hasChanged;
      },
      reset() {
        hasChanged = true;
        letters.clear();
        digits.clear();
      },
      mostUsed() {
        hasChanged = true;
        digits.clear();
        const used = [...labels].sort((a, b) => b.n - a.n);
        used.slice(0, DIGITS.length).forEach((each, place) => digits.set(DIGITS[place], each.id));
      },
      // What is to be kept with the user; no digits: those that labels have by their place.
      get choices() {
        return {
          [`digits_${projectId}`]: digits.size > 0 ? DIGITS.map((digit) => digits.get(digit) ?? null) : null,
          [`letters_${projectId}`]: Object.fromEntries([...letters].map(([key, id]) => [id, key])),
        };
      },
      // The buttons are drawn anew, with their keys, where the user is.
      redraw() {
        if (!hasChanged) return;
        const url = new URL(location.href);
        url.searchParams.set("at", root.querySelector(".say-row[data-focused]")?.dataset.rank ?? 0);
        location.assign(url);
      },
    };
  };
})();
