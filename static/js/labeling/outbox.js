// Changes that the server has not confirmed: kept in this browser, sent in order, sent again with the
// same key until the server took it or refused it. Nothing here is ever dropped silently.
const LONGEST_WAIT = 15000;
const TIMEOUT = 15000;

const storage = {
  write(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // Full or forbidden: the page still holds it, and warns before it is left.
    }
  },
  remove(name) {
    try {
      localStorage.removeItem(name);
    } catch {
      // As above.
    }
  },
  all(prefix) {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(prefix));
      return names.map((name) => JSON.parse(localStorage.getItem(name)));
    } catch {
      return [];
    }
  },
};

// events: prepare(entry) → false to drop it; saved(entry, answer); refused(entry, sentence);
// trouble({count, sentence, seconds}) or trouble(null) when all is well again.
export const createOutbox = (user, events) => {
  const prefix = `likewise-unsaved/${user}/`;
  const waiting = storage.all(prefix).sort((a, b) => a.at - b.at);
  let isSending = false;
  let tries = 0;
  let timer = null;

  const keep = (entry) => storage.write(prefix + entry.id, JSON.stringify(entry));

  const finish = (entry) => {
    waiting.shift();
    storage.remove(prefix + entry.id);
    tries = 0;
    events.trouble(null);
  };

  const later = (sentence, seconds) => {
    tries += 1;
    const backOff = Math.min(LONGEST_WAIT, 500 * 2 ** (tries - 1)) * (0.8 + 0.4 * Math.random());
    const wait = Math.max(backOff, 1000 * seconds);
    events.trouble({ count: waiting.length, sentence, seconds: Math.ceil(wait / 1000) });
    timer = setTimeout(next, wait);
  };

  const sentenceOf = async (response) => {
    const body = await response.json().catch(() => null);
    return body?.title ?? `Server error ${response.status}.`;
  };

  const send = async (entry) => {
    const response = await fetch(entry.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(entry.body),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.ok) {
      const answer = await response.json();
      finish(entry);
      events.saved(entry, answer);
    } else if (response.status === 401) {
      later("Your login has expired. Log in in another tab, then choose “Save now”.", 5);
    } else if ([408, 425, 429].includes(response.status) || response.status >= 500) {
      later(await sentenceOf(response), Number(response.headers.get("Retry-After")) || 0);
    } else {
      const sentence = await sentenceOf(response);
      finish(entry);
      events.refused(entry, sentence);
    }
  };

  const next = async () => {
    clearTimeout(timer);
    timer = null;
    if (isSending || waiting.length === 0) return;
    const entry = waiting[0];
    if (events.prepare(entry) === false) {
      finish(entry);
      next();
      return;
    }
    keep(entry);
    isSending = true;
    try {
      await send(entry);
    } catch {
      later("The server cannot be reached.", 0);
    } finally {
      isSending = false;
    }
    if (timer === null) next();
  };

  window.addEventListener("online", () => next());
  window.addEventListener("beforeunload", (event) => {
    if (waiting.length > 0) event.preventDefault();
  });

  return {
    waiting,
    add(entry) {
      waiting.push(entry);
      keep(entry);
      if (timer === null) next();
      else events.trouble({ count: waiting.length, sentence: "", seconds: null });
    },
    sendNow: next,
    get isEmpty() {
      return waiting.length === 0;
    },
  };
};
