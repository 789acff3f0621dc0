// A running sbxd, whose socket is SBX_SOCKET, through `ws`, a client of WebSockets that is not ours.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");
const { WebSocket } = require("ws");

const socketPath = process.env.SBX_SOCKET;

// The JSON that sbxd answers.
function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function result(run) {
  return (await ask("GET", `/v1/runs/${run}?wait&output=false`)).body;
}

function connectTo(path, options = {}) {
  return new WebSocket(`ws+unix:${socketPath}:${path}`, options);
}

module.exports = { ask, result, connectTo };
