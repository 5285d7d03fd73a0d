// Saves a plot as PNG: the file that the server made, drawn three times as large on a canvas.
import { showNotice } from "../notice.js";

const TIMES = 1.5;

const save = async (button) => {
  const answer = await fetch(button.dataset.png);
  if (!answer.ok) return showNotice("The plot could not be downloaded. Try again.", "bad");
  const address = URL.createObjectURL(new Blob([await answer.text()], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * TIMES;
  canvas.height = image.naturalHeight * TIMES;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  }, "image/png");
};

const offer = () => {
  for (const button of document.querySelectorAll("[data-png]")) button.hidden = false;
};
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-png]");
  if (button) save(button);
});
document.addEventListener("htmx:load", offer);
offer();
