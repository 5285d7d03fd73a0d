// Follows an active run by server-sent events: shows progress, and reloads the page content whenever
// more has changed. Without events the page polls as it does without this file.
let source = null;

const page = () => document.getElementById("run");
// One request at a time; changes meanwhile cause another one after it. The page of an ended run
// makes no more requests.
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
    // The browser reconnects unless it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    stop();
    renew();
  });
};

// While events arrive, the page does not poll; the requests of renew() come from the body.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "run" && source?.readyState === EventSource.OPEN) event.preventDefault();
});

window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", follow);
follow();
