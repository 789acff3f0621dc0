// Events of runs through `ws`, a client of WebSockets that is not ours.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { ask, connectTo, result } = require("./sbxd.js");

async function begin(shell, more = {}) {
  const answer = await ask("POST", "/v1/runs", { shell, ...more });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body.run_id;
}

function connect(run, query = "") {
  return connectTo(`/v1/runs/${run}/events${query}`);
}

// Everything until the server closes it.
function follow(socket) {
  return new Promise((resolve, reject) => {
    const events = [];
    socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      events.push(JSON.parse(data.toString("utf8")));
    });
    socket.on("error", reject);
    socket.on("close", (code, reason) => resolve({ events, code, reason: reason.toString() }));
  });
}

function firstOf(socket, type) {
  return new Promise((resolve) => {
    socket.on("message", (data) => {
      const event = JSON.parse(data.toString("utf8"));
      if (event.type === type) resolve(event);
    });
  });
}

const bytesOf = (event) => Buffer.from(event.data, event.encoding ?? "utf8");

// What was written to a stream; every byte of it is told once, in order.
function written(events, stream, from = 0) {
  const parts = events.filter((event) => event.type === stream);
  let end = from;
  for (const part of parts) {
    assert.equal(part.offset, end);
    end += bytesOf(part).length;
  }
  return Buffer.concat(parts.map(bytesOf));
}

function inOrder(events) {
  events.forEach((event, at) => assert.equal(event.seq, at + 1));
  assert.deepEqual(events.map((event) => event.type === "exit").indexOf(true), events.length - 1);
}

test("events come as they happen, and the end is the last of them", async () => {
  const made = await ask("POST", "/v1/sandboxes", {});
  const { id } = made.body;
  const command = { shell: "echo one; until [ -e /tmp/go ]; do sleep 0.01; done; echo two >&2; exit 7" };
  const run = (await ask("POST", `/v1/sandboxes/${id}/exec`, command)).body.run_id;
  const socket = connect(run);
  const all = follow(socket);
  assert.equal((await firstOf(socket, "stdout")).data, "one\n");
  await ask("POST", `/v1/sandboxes/${id}/exec?wait`, { shell: "touch /tmp/go" });
  const { events, code, reason } = await all;
  assert.equal(code, 1000);
  assert.equal(reason, "the run has ended");
  inOrder(events);
  assert.deepEqual(events[0], { type: "stage", data: "run", seq: 1, id: "0.0.1" });
  assert.equal(written(events, "stdout").toString(), "one\n");
  assert.equal(written(events, "stderr").toString(), "two\n");
  const { type, data, outcome, exit_code, signal, run_id } = events.at(-1);
  assert.deepEqual({ type, data, outcome, exit_code, signal, run_id },
    { type: "exit", data: "error", outcome: "exited", exit_code: 7, signal: null, run_id: run });
  assert.equal((await ask("DELETE", `/v1/sandboxes/${id}`)).status, 200);
});

test("a run that has ended is replayed, again and again, the same", async () => {
  const run = await begin("seq 1 200000; echo bad >&2; exit 3");
  await result(run);
  const replays = [await follow(connect(run)), await follow(connect(run))];
  for (const { events, code } of replays) {
    assert.equal(code, 1000);
    inOrder(events);
    assert.equal(written(events, "stdout").toString(), Array.from({ length: 200000 }, (_, i) => `${i + 1}\n`).join(""));
    assert.equal(written(events, "stderr").toString(), "bad\n");
    assert.equal(events.at(-1).exit_code, 3);
  }
  assert.deepEqual(replays[0].events, replays[1].events);
});

test("a reader goes on where its connection broke", async () => {
  const run = await begin("seq 1 100000; echo bad >&2");
  await result(run);
  const whole = (await follow(connect(run))).events;
  const socket = connect(run);
  const first = await firstOf(socket, "stdout");
  socket.terminate();
  const seen = bytesOf(first).length;
  const { events, code } = await follow(connect(run, `?after=${seen}.0`));
  assert.equal(code, 1000);
  assert.deepEqual(Buffer.concat([bytesOf(first), written(events, "stdout", seen)]), written(whole, "stdout"));
  assert.equal(written(events, "stderr").toString(), "bad\n");
  // The id of an event is the place behind it.
  const last = whole.at(-2);
  const behind = await follow(connect(run, `?after=${last.id}`));
  assert.deepEqual(behind.events, [{ ...whole.at(-1), seq: 1 }]);
  // Behind all output there is only the end.
  const end = await follow(connect(run, `?after=${written(whole, "stdout").length}.4`));
  assert.deepEqual(end.events.map((event) => event.type), ["exit"]);
});

test("bytes that are no text come as base64", async () => {
  const run = await begin("printf 'text\\n'; sleep 0.3; printf '\\377\\000\\376'; sleep 0.3; printf '\\342\\202\\254'");
  const { events } = await follow(connect(run));
  assert.deepEqual(written(events, "stdout"), Buffer.concat([Buffer.from("text\n"), Buffer.from([0xff, 0, 0xfe]), Buffer.from("€")]));
  const encoded = events.filter((event) => event.encoding !== undefined);
  assert.ok(encoded.length >= 1);
  for (const event of encoded) assert.equal(event.encoding, "base64");
  assert.ok(events.some((event) => event.type === "stdout" && event.encoding === undefined));
});

test("a reader that takes nothing blocks neither the program nor another reader", async () => {
  const bytes = 40_000_000;
  const run = await begin(`head -c ${bytes} /dev/zero | tr '\\0' x`, { limits: { output_bytes: 2 * bytes, wall_ms: 60000 } });
  const slow = connect(run);
  const all = follow(slow);
  await once(slow, "open");
  slow.pause();
  const quick = await follow(connect(run));
  assert.equal(written(quick.events, "stdout").length, bytes);
  assert.equal((await result(run)).exit_code, 0); // it ended, and nothing of it was taken by the slow one
  slow.resume();
  const { events, code } = await all;
  assert.equal(code, 1000);
  inOrder(events);
  assert.ok(written(events, "stdout").equals(Buffer.alloc(bytes, "x")));
});

test("who goes away, and what is sent, changes nothing; pings are answered", async () => {
  const run = await begin("echo one; sleep 1000");
  const socket = connect(run);
  await once(socket, "message");
  socket.send("hello");
  socket.send(Buffer.alloc(100_000));
  socket.ping("there?");
  const [answer] = await once(socket, "pong");
  assert.equal(answer.toString(), "there?");
  socket.close(1000, "enough");
  assert.deepEqual((await once(socket, "close"))[0], 1000);
  connect(run).on("open", function () { this.terminate(); }).on("error", () => {});
  assert.equal((await ask("GET", `/v1/runs/${run}`)).body.status, "running");
  const last = follow(connect(run));
  assert.equal((await ask("DELETE", `/v1/runs/${run}`)).status, 202);
  assert.equal((await last).events.at(-1).outcome, "cancelled");
});

test("what cannot be followed is refused before there is a WebSocket", async () => {
  const run = await begin("true");
  for (const [path, status] of [["/v1/runs/nothing/events", 404], [`/v1/runs/${run}/events?after=x`, 400]]) {
    const socket = connectTo(path);
    const [, answer] = await once(socket, "unexpected-response");
    assert.equal(answer.statusCode, status);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    answer.destroy();
  }
});
