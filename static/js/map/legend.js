// The legend: each class with its count, pressed to hide or show it, pointed at to bring it out.
export const createLegend = (list, { changed, pointed }) => {
  let hidden = new Set();

  const row = (each) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = `map-class marker ${each.css}`;
    button.setAttribute("aria-pressed", String(!hidden.has(each.at)));
    const name = document.createElement("span");
    name.className = "name";
    name.dir = "auto";
    name.textContent = each.name;
    const count = document.createElement("span");
    count.className = "num soft";
    count.textContent = each.n.toLocaleString("en");
    button.append(name, count);
    button.addEventListener("click", () => {
      if (!hidden.delete(each.at)) hidden.add(each.at);
      button.setAttribute("aria-pressed", String(!hidden.has(each.at)));
      changed();
    });
    for (const [kind, at] of [["pointerenter", each.at], ["focus", each.at], ["pointerleave", -1], ["blur", -1]]) {
      button.addEventListener(kind, () => pointed(button.matches(":focus-visible, :hover") ? at : -1));
    }
    item.append(button);
    return item;
  };

  return {
    isHidden: (at) => hidden.has(at),
    show: (classes, keep) => {
      if (!keep) hidden = new Set();
      list.replaceChildren(...classes.filter((each) => each.n).map(row));
    },
  };
};
