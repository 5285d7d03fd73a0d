// Follows a run that moves by server-sent events: progress as it comes, and the page anew whenever
// there is more to show. Where they do not come through, the page polls itself as it does without
// this file.
let source = null;

const page = () => document.getElementById("run");
// One request at a time; what changed meanwhile is asked for after it. A page of a run that has
// ended has nothing more to ask.
let isAsking = false;
let isStale = false;
const renew = async () => {
  isStale = isAsking;
  if (isAsking || !page().dataset.live) return;
  isAsking = true;
  try {
    await htmx.ajax("GET", page().getAttribute("hx-get"), { target: "#run", swap: "outerHTML" });
  } finally {
    isAsking = false;
  }
  if (isStale) renew();
};

const stop = () => {
  source?.close();
  source = null;
};

const show = (status) => {
  const bar = page().querySelector("[data-live-progress]");
  const words = page().querySelector("[data-live-words]");
  if (bar) bar.value = status.progress;
  if (words) words.textContent = status.words;
  if (page().dataset.liveMark !== status.mark) renew();
};

const follow = () => {
  const live = page()?.dataset.live;
  if (source || !live || !window.EventSource) return;
  source = new EventSource(live);
  source.addEventListener("run", (event) => show(JSON.parse(event.data)));
  source.addEventListener("end", () => {
    stop();
    renew();
  });
  source.addEventListener("error", () => {
    // A browser tries again by itself, unless it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    stop();
    renew();
  });
};

// While events come, the page need not ask by itself; what renew() asks comes from the body.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "run" && source?.readyState === EventSource.OPEN) event.preventDefault();
});

window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", follow);
follow();
