// Terminals of runs through `ws`, with a real bash in a real sandbox.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { ask, connectTo, result } = require("./sbxd.js");

const BASH = ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"];

// A sandbox, where commands begin and end.
async function withSandbox(then) {
  const made = await ask("POST", "/v1/sandboxes", { env: { PS1: "$ " } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  try {
    await then(`/v1/sandboxes/${made.body.id}/exec`);
  } finally {
    assert.equal((await ask("DELETE", `/v1/sandboxes/${made.body.id}`)).status, 200);
  }
}

async function begin(path, body) {
  const answer = await ask("POST", path, { tty: true, ...body });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body.run_id;
}

async function output(path, shell) {
  return (await ask("POST", `${path}?wait`, { shell })).body.stdout.text;
}

// Who is at a terminal: what came over it, and how it ended.
class Person {
  constructor(run) {
    this.socket = connectTo(`/v1/runs/${run}/terminal`);
    this.seen = "";
    this.events = [];
    this.socket.on("message", (data, isBinary) => {
      if (isBinary) this.seen += data.toString("latin1");
      else this.events.push(JSON.parse(data.toString("utf8")));
      this.socket.emit("news");
    });
    this.open = once(this.socket, "open");
    this.closed = once(this.socket, "close").then(([code, reason]) => ({ code, reason: reason.toString() }));
  }
  type(text) {
    this.socket.send(Buffer.from(text));
  }
  say(control) {
    this.socket.send(JSON.stringify(control));
  }
  async sees(pattern) {
    while (!pattern.test(this.seen)) {
      await Promise.race([once(this.socket, "news"), this.closed.then((how) => {
        if (!pattern.test(this.seen)) throw new Error(`closed with ${JSON.stringify(how)} before ${pattern}: ${JSON.stringify(this.seen)}`);
      })]);
    }
    this.seen = "";
  }
}

for (const own of [false, true]) {
  const where = own ? "a run's own sandbox" : "a living sandbox";
  test(`a shell at a terminal of ${where}: echo, size, keys, signals, and its end`, async () => {
    await withSandbox(async (exec) => {
      const run = await begin(own ? "/v1/runs" : exec, { command: BASH, rows: 33, cols: 99 });
      const person = new Person(run);
      await person.open;
      person.type("tty && stty size\n");
      await person.sees(/tty && stty size\r\n[^]*\/dev\/pts\/0\r\n33 99\r\n/);
      person.say({ type: "resize", rows: 50, cols: 132 });
      person.type("stty size\n");
      await person.sees(/50 132\r\n/);
      // A program that says so itself is in the foreground by then.
      person.type("sh -c 'echo begun; exec sleep 1000'; echo status $?\n");
      await person.sees(/begun\r\n/);
      person.type("\x03");
      person.type("echo .$?.\n");
      await person.sees(/\^C[^]*\.130\.\r\n/);
      person.type("sh -c 'echo begun; exec sleep 1000'\n");
      await person.sees(/begun\r\n/);
      person.say({ type: "signal", signal: "INT" });
      person.type("echo .$?.\n");
      await person.sees(/\.130\.\r\n/);
      person.type("trap 'echo u''sr1' USR1; echo re''ady\n");
      await person.sees(/ready\r\n/);
      person.say({ type: "signal", signal: "USR1" });
      person.type("\n");
      await person.sees(/usr1\r\n/);
      person.type("exit 7\n");
      assert.deepEqual(await person.closed, { code: 1000, reason: "the run has ended" });
      assert.deepEqual(person.events.map((event) => [event.type, event.outcome, event.exit_code, event.run_id]), [["exit", "exited", 7, run]]);
      const { exit_code: code, stdout } = await result(run);
      assert.deepEqual([code, stdout], [7, null]);
      // Its events have no output.
      const events = connectTo(`/v1/runs/${run}/events`);
      const types = [];
      events.on("message", (data) => types.push(JSON.parse(data.toString("utf8")).type));
      await once(events, "close");
      assert.deepEqual(types, ["stage", "exit"]);
    });
  });
}

test("who goes hangs up, and nothing is left of what was started", async () => {
  await withSandbox(async (exec) => {
    for (const go of [(socket) => socket.close(1000), (socket) => socket.terminate()]) {
      const run = await begin(exec, { command: BASH });
      const person = new Person(run);
      await person.open;
      person.type("trap 'echo hung up >/tmp/hup; exit' HUP; setsid sleep 4321 & sleep 4322 & disown -a; nohup sleep 4323 &\n");
      person.type("echo st''arted\n");
      await person.sees(/started\r\n/);
      while ((await output(exec, "pgrep -c sleep")).trim() !== "3"); // they are started by and by
      go(person.socket);
      const { outcome, signal } = await result(run);
      assert.deepEqual([outcome, signal], ["cancelled", "SIGHUP"]);
      assert.equal(await output(exec, "pgrep -c 'sleep|bash'; cat /tmp/hup; rm /tmp/hup"), "0\nhung up\n");
    }
  });
});

test("who goes while the program reads nothing is seen to go", async () => {
  await withSandbox(async (exec) => {
    const run = await begin(exec, { shell: "stty raw -echo; echo ready; exec sleep 1000" });
    const person = new Person(run);
    await person.sees(/ready/);
    for (let i = 0; i < 40; i += 1) person.socket.send(Buffer.alloc(60000, "x"));
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    assert.equal((await ask("GET", `/v1/runs/${run}`)).body.status, "running");
    person.socket.terminate();
    assert.equal((await result(run)).signal, "SIGHUP");
  });
});

test("a paste that is longer than what the kernel holds comes whole", async () => {
  await withSandbox(async (exec) => {
    const run = await begin(exec, { shell: "stty raw -echo; echo ready; sleep 0.3; head -c 3000000 | md5sum; head -c 100000 /dev/zero | tr '\\0' x" });
    const person = new Person(run);
    await person.sees(/ready/);
    for (let i = 0; i < 30; i += 1) person.type("y".repeat(100_000));
    await person.closed;
    const sum = require("node:crypto").createHash("md5").update("y".repeat(3_000_000)).digest("hex");
    assert.ok(person.seen.includes(sum));
    assert.ok(person.seen.endsWith("x".repeat(100_000)));
    assert.equal(person.events.at(-1).exit_code, 0);
  });
});

test("who reads nothing has the program wait, and nobody else", async () => {
  await withSandbox(async (exec) => {
    const run = await begin(exec, { shell: "stty raw; seq 1 3000000; touch /tmp/done" });
    const person = new Person(run);
    await person.open;
    person.socket.pause();
    const other = new Person(await begin(exec, { shell: "echo quick" }));
    assert.equal((await other.closed).code, 1000);
    assert.equal(other.seen, "quick\r\n");
    assert.equal(await output(exec, "sleep 2; ls /tmp/done"), "");
    assert.equal((await ask("GET", `/v1/runs/${run}`)).body.status, "running");
    person.socket.resume();
    assert.equal((await person.closed).code, 1000);
    assert.equal(person.seen.length, 22888896);
    assert.ok(person.seen.endsWith("\n2999999\n3000000\n"));
  });
});

test("one is at a terminal; a program that ended before somebody came has its output still", async () => {
  await withSandbox(async (exec) => {
    const run = await begin(exec, { command: BASH });
    const person = new Person(run);
    await person.open;
    const second = connectTo(`/v1/runs/${run}/terminal`);
    const [, refused] = await once(second, "unexpected-response");
    assert.equal(refused.statusCode, 409);
    refused.destroy();
    person.type("exit\n");
    await person.closed;
    const quick = await begin(exec, { shell: "echo bye; exit 4" });
    assert.equal((await result(quick)).exit_code, 4);
    const late = new Person(quick);
    assert.equal((await late.closed).code, 1000);
    assert.equal(late.seen, "bye\r\n");
    assert.equal(late.events[0].exit_code, 4);
    const [, gone] = await once(connectTo(`/v1/runs/${quick}/terminal`), "unexpected-response");
    assert.equal(gone.statusCode, 409);
    gone.destroy();
  });
});

test("a control message that is none closes with what was wrong", async () => {
  await withSandbox(async (exec) => {
    for (const [text, wrong] of [["ls\n", /JSON/], ["[]", /object/], ["{}", /'type'/], ['{"type": "resiz", "rows": 1, "cols": 1}', /'resize' or 'signal'/],
      ['{"type": "resize", "rows": 0, "cols": 80}', /'rows'/], ['{"type": "resize", "rows": 24}', /'cols'/], ['{"type": "resize", "rows": 24, "cols": 1e9}', /'cols'/],
      ['{"type": "resize", "rows": 24, "cols": 80, "x": 1}', /'x'/], ['{"type": "signal", "signal": "SEGV"}', /'signal'/], ['{"type": "signal"}', /'signal'/]]) {
      const run = await begin(exec, { command: BASH });
      const person = new Person(run);
      await person.open;
      person.socket.send(text);
      const { code, reason } = await person.closed;
      assert.equal(code, 1008, text);
      assert.match(reason, wrong);
      assert.equal((await result(run)).outcome, "cancelled");
    }
  });
});

test("what does not go with a terminal is refused by name", async () => {
  await withSandbox(async (exec) => {
    for (const [body, wrong] of [[{ tty: true, stdin: "x" }, /'stdin'/], [{ tty: true, session: "main" }, /'session'/], [{ rows: 3 }, /'rows' needs 'tty'/],
      [{ tty: true, cols: 70000 }, /'cols'/], [{ tty: true, limits: { output_bytes: 5 } }, /output_bytes/], [{ tty: 1 }, /'tty'/]]) {
      const answer = await ask("POST", exec, { shell: "true", ...body });
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
      assert.match(answer.body.detail, wrong);
    }
    const run = (await ask("POST", exec, { shell: "sleep 1000" })).body.run_id;
    for (const [path, status] of [[`/v1/runs/${run}/terminal`, 409], ["/v1/runs/none/terminal", 404]]) {
      const [, answer] = await once(connectTo(path), "unexpected-response");
      assert.equal(answer.statusCode, status);
      answer.destroy();
    }
    assert.equal((await ask("GET", `/v1/runs/${await begin(exec, { shell: "sleep 9" })}/terminal`)).status, 426);
  });
});
