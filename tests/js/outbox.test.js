// The outbox: changes reach the server in their order, once each, whatever happens on the way.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { createOutbox } from "../../static/js/labeling/outbox.js";

const settle = async () => {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

// Stored names are own properties, as in a browser.
class Storage {
  setItem(name, value) {
    this[name] = String(value);
  }
  getItem(name) {
    return this[name] ?? null;
  }
  removeItem(name) {
    delete this[name];
  }
}

let requests;
let answers;

const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const offline = () => {
  throw new TypeError("fetch failed");
};

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  requests = [];
  answers = [];
  globalThis.window = new EventTarget();
  globalThis.localStorage = new Storage();
  globalThis.fetch = async (url, { body }) => {
    requests.push({ url, ...JSON.parse(body) });
    const answer = answers.shift() ?? json(200, { ok: true });
    return typeof answer === "function" ? answer() : answer;
  };
});

const open = (user = "7", isReady = () => true) => {
  const log = [];
  const outbox = createOutbox(user, {
    prepare: isReady,
    saved: (entry) => log.push(["saved", entry.id]),
    refused: (entry, sentence) => log.push(["refused", entry.id, sentence]),
    trouble: (what) => what && log.push(["trouble", what.sentence, what.count]),
  });
  return { outbox, log };
};

const entry = (id, at = 0) => ({ id, at, kind: "label", url: "/annotations", body: { key: id } });
const keysSent = () => requests.map((request) => request.key);
const storedNames = () => Object.keys(localStorage);

test("changes are sent one after the other in the order they were made", async () => {
  const { outbox, log } = open();
  let release;
  answers = [() => new Promise((resolve) => (release = () => resolve(json(200, {}))))];
  for (const id of ["a", "b", "c"]) outbox.add(entry(id));

  await settle();
  assert.deepEqual(keysSent(), ["a"]);
  release();
  await settle();

  assert.deepEqual(keysSent(), ["a", "b", "c"]);
  assert.deepEqual(log, [["saved", "a"], ["saved", "b"], ["saved", "c"]]);
  assert.equal(outbox.isEmpty, true);
  assert.deepEqual(storedNames(), []);
});

test("without a connection a change waits, and goes again with the same key before later ones", async () => {
  const { outbox, log } = open();
  answers = [offline, offline];
  outbox.add(entry("a"));
  await settle();
  outbox.add(entry("b"));
  await settle();

  assert.deepEqual(keysSent(), ["a"]);
  assert.deepEqual(log.map(([what]) => what), ["trouble", "trouble"]);
  mock.timers.tick(2000);
  await settle();
  mock.timers.tick(2000);
  await settle();

  assert.deepEqual(keysSent(), ["a", "a", "a", "b"]);
  assert.deepEqual(log.slice(-2), [["saved", "a"], ["saved", "b"]]);
});

test("a connection that comes back sends at once", async () => {
  const { outbox, log } = open();
  answers = [offline];
  outbox.add(entry("a"));
  await settle();

  window.dispatchEvent(new Event("online"));
  await settle();

  assert.deepEqual(keysSent(), ["a", "a"]);
  assert.deepEqual(log.at(-1), ["saved", "a"]);
});

for (const status of [408, 425, 429, 500, 503]) {
  test(`an answer ${status} is tried again with the same key`, async () => {
    const { outbox, log } = open();
    answers = [json(status, { title: "Busy." })];
    outbox.add(entry("a"));
    await settle();

    assert.deepEqual(log, [["trouble", "Busy.", 1]]);
    assert.equal(storedNames().length, 1);
    mock.timers.tick(2000);
    await settle();

    assert.deepEqual(keysSent(), ["a", "a"]);
    assert.equal(outbox.isEmpty, true);
  });
}

test("Retry-After is waited for", async () => {
  const { outbox } = open();
  answers = [json(429, { title: "Slow down." }, { "Retry-After": "10" })];
  outbox.add(entry("a"));
  await settle();

  mock.timers.tick(9999);
  await settle();
  assert.deepEqual(keysSent(), ["a"]);
  mock.timers.tick(1);
  await settle();
  assert.deepEqual(keysSent(), ["a", "a"]);
});

test("an ended login keeps the change and says what to do", async () => {
  const { outbox, log } = open();
  answers = [json(401, { title: "Please log in." })];
  outbox.add(entry("a"));
  await settle();

  assert.match(log[0][1], /Log in in another tab/);
  assert.equal(outbox.isEmpty, false);
  outbox.sendNow();
  await settle();
  assert.deepEqual(keysSent(), ["a", "a"]);
  assert.equal(outbox.isEmpty, true);
});

for (const status of [400, 404, 409, 422]) {
  test(`an answer ${status} is a refusal: reported, not tried again, and later changes go on`, async () => {
    const { outbox, log } = open();
    answers = [json(status, { title: "Not like this." })];
    outbox.add(entry("a"));
    outbox.add(entry("b"));
    await settle();
    mock.timers.tick(60_000);
    await settle();

    assert.deepEqual(keysSent(), ["a", "b"]);
    assert.deepEqual(log, [["refused", "a", "Not like this."], ["saved", "b"]]);
    assert.deepEqual(storedNames(), []);
  });
}

test("a refusal without a body names the status", async () => {
  const { outbox, log } = open();
  answers = [new Response("<html>", { status: 404 })];
  outbox.add(entry("a"));
  await settle();

  assert.deepEqual(log, [["refused", "a", "Server error 404."]]);
});

test("after a reload, unsaved changes are sent in their order with their keys", async () => {
  const before = open();
  answers = [offline];
  before.outbox.add(entry("late", 2));
  before.outbox.add(entry("later", 3));
  localStorage.setItem("likewise-unsaved/7/early", JSON.stringify(entry("early", 1)));
  await settle();
  mock.timers.reset();
  requests.length = 0;

  const { outbox, log } = open();
  assert.deepEqual(outbox.waiting.map(({ id }) => id), ["early", "late", "later"]);
  outbox.sendNow();
  await settle();

  assert.deepEqual(keysSent(), ["early", "late", "later"]);
  assert.deepEqual(log.map(([what]) => what), ["saved", "saved", "saved"]);
  assert.deepEqual(storedNames(), []);
});

test("another user's unsaved changes are neither sent nor removed", async () => {
  localStorage.setItem("likewise-unsaved/8/x", JSON.stringify(entry("x")));
  localStorage.setItem("likewise-theme", "dark");

  const { outbox } = open("7");
  outbox.sendNow();
  await settle();

  assert.deepEqual(keysSent(), []);
  assert.deepEqual(storedNames(), ["likewise-unsaved/8/x", "likewise-theme"]);
});

test("forbidden storage keeps nothing from being sent", async () => {
  const refuse = () => {
    throw new Error("SecurityError");
  };
  globalThis.localStorage = { setItem: refuse, getItem: refuse, removeItem: refuse };
  const { outbox, log } = open();
  outbox.add(entry("a"));
  await settle();

  assert.deepEqual(log, [["saved", "a"]]);
});

test("a change that has become pointless is dropped before it is sent", async () => {
  const { outbox, log } = open("7", ({ id }) => id !== "a");
  outbox.add(entry("a"));
  outbox.add(entry("b"));
  await settle();

  assert.deepEqual(keysSent(), ["b"]);
  assert.deepEqual(log, [["saved", "b"]]);
});

test("the page asks before it is left only while something is unsaved", async () => {
  const { outbox } = open();
  const leave = () => !window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
  answers = [offline];
  assert.equal(leave(), false);
  outbox.add(entry("a"));
  await settle();
  assert.equal(leave(), true);

  outbox.sendNow();
  await settle();
  assert.equal(leave(), false);
});
