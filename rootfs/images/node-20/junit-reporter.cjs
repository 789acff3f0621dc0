// A reporter of Jest's that writes JUnit XML to $SBX_REPORT. The package jest-junit counts a file whose tests could not
// be run twice or not at all; here it is one error.
const { writeFileSync } = require("node:fs");
const { relative } = require("node:path");

const mostText = 500; // of one failure or name: a report of more than 4 MiB is not read

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) =>
  text
    .slice(0, mostText)
    .replace(/\u001b\[[0-9;]*m/g, "") // colours
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, "?") // what XML cannot hold
    .replace(/[&<>"]/g, (letter) => entities[letter]);

function caseOf(suite, name, seconds, inside = "") {
  return `<testcase classname="${escape(suite)}" name="${escape(name)}" time="${seconds}">${inside}</testcase>`;
}

function casesOf(file) {
  const suite = relative(process.cwd(), file.testFilePath);
  const cases = file.testResults.map((test) => {
    let inside = "<skipped/>"; // pending, todo, disabled
    if (test.status === "passed") inside = "";
    if (test.status === "failed") inside = `<failure>${escape(test.failureMessages.join("\n"))}</failure>`;
    return caseOf(suite, test.fullName, (test.duration ?? 0) / 1000, inside);
  });
  if (file.testExecError) cases.push(caseOf(suite, "the file", 0, `<error>${escape(file.failureMessage ?? "")}</error>`));
  return cases;
}

module.exports = class {
  onRunComplete(_, results) {
    const cases = results.testResults.flatMap(casesOf);
    writeFileSync(process.env.SBX_REPORT, `<testsuite name="jest">\n${cases.join("\n")}\n</testsuite>\n`);
  }
};
