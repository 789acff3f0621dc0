#!/usr/bin/env python3
"""docs/config.schema.json and the parser of the configuration agree: config_schema_test.py CHECK_POLICY (the program).

Every key of the schema is right once and wrong once, and has to be in the table here. The examples of
docs/configuration.md are right.
"""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from support.schema_checks import Checks, Schema  # noqa: E402

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"

COUNT = ["0", "-1", "1.5", "many", "''", "[1]", "{a: 1}", "~", "true", "1K"]
PATH = ["relative/path", "''", "[/a]", "{a: /a}", "~", "12"]
NAME = ["''", "../a", "-a", "-1", "a b", "a/b", "[a]", "~", "a" * 65]
SIZE = ["0", "0M", "-1", "much", "1T", "1 M", ".5G", "1.0123456789G", "[1M]", "~", "true"]


def listener(value):
    return f"listen: [{value}]\n"


# Of each key: right, wrong for both, wrong for the parser alone; and where its value stands, if it is not that of its path.
KEYS = {
    "state_dir": (["/srv/sbx", "'/a b'"], PATH, []),
    "run_dir": (["/run/other"], [*PATH, "'/run/a:b'", "'/run/a,b'", "'/run/a\\b'"], []),
    "log": (["{}", "{path: /dev/null, rotate: 1M, keep: 2}"], ["/a", "[]", "~", "{file: /a}"], []),
    "log.path": (["/dev/null"], PATH, []),
    "log.rotate": (["256M", "'1g'", "0.5G", "1048576"], [*SIZE, "none"], ["99999999999G"]),
    "log.keep": (["1", "1000", "'7'"], [*COUNT, "1001", "none"], ["'1001'"]),
    "log.syslog": (["true", "false"], ["yes", "'true'", "1", "~", "[true]", "/dev/log"], ["True"]),
    "id_pool": (["{}", "{first: 65536, ranges: 2}"], ["1", "[]", "~", "{last: 1}"], ["{first: 4294770688, ranges: 3}"]),
    "id_pool.first": (["65536", "1879048192", "'655360'"], [*COUNT, "65537", "4294836224", "none"], ["4026531840", "'5'"]),
    "id_pool.ranges": (["2", "4096", "'9'"], [*COUNT, "1", "65536", "none"], ["65535", "'1'"]),
    "cgroup_parent": (["/sys/fs/cgroup/a"], PATH, []),
    "image_max_age_days": (["1", "36500", "none", "'30'"], [*COUNT, "36501", "all"], ["'36501'"]),
    "languages": (["{}", "{c#: dotnet-8, c++: c, python3.11: '3'}"],
                  ["python", "[python]", "~", "{C: a}", "{-a: a}", "{'': a}", "{a b: a}", "{a: ../b}", "{a: [b]}"], ["{a: b, a: c}"]),
    "auto_build": (["true", "false"], ["yes", "'true'", "1", "~", "[true]"], ["True"]),
    "socket_group": (["sbx", "'sand boxes'"], ["[a]", "{a: b}", "~"], []),
    "history": (["{}", "{runs: 10, output_bytes: 1M, days: none}"], ["1", "[]", "~", "{day: 1}"], []),
    "history.runs": (["1", "10000000", "'5'"], [*COUNT, "10000001", "none"], []),
    "history.output_bytes": (["1", "10G"], [*SIZE, "none"], []),
    "history.days": (["1", "36500", "none"], [*COUNT, "36501", "never"], []),
    "max_sandboxes": (["1", "65535", "'9'"], [*COUNT, "65536", "none"], ["'65536'", "0x10", "+1", "9.0"]),
    "cleanup_interval": (["off", "1h", "30", "0.5", "50ms", "'2M'"], ["0", "-1", "0s", "never", "none", "1d", "~", "[1h]"],
                         ["99999999999999999h"]),
    "prepare_images": (["all", "none", "[]", "[a, b-1.2]"], ["some", "'a b'", "~", "{a: b}", "['../up']", "[[a]]"], []),
    "listen": (["[]", "[{address: 127.0.0.1, port: 1}, {address: '::1', port: 1}]"],
               ["8080", "~", "{address: 127.0.0.1, port: 1}", "[127.0.0.1]", "[{address: 127.0.0.1}]", "[{port: 1}]",
                "[{address: 127.0.0.1, port: 1, host: a}]", "[{address: localhost, port: 1, tls: {certificate: /c, key: /k}}]",
                "[{address: 127.0.0.1, port: 1}, {address: 127.0.0.1, port: 1}]",
                "[" + ", ".join(f"{{address: 127.0.0.1, port: {port}}}" for port in range(1, 18)) + "]"],
               ["[{address: 127.0.0.1, port: 1}, {address: 127.0.0.1, port: '1'}]"]),
    "listen[].address": (["127.0.0.1", "127.1.2.3", "'::1'", "'0:0:0:0:0:0:0:1'", "'::0.0.0.1'"],
                         ["localhost", "''", "0.0.0.0", "'::'", "10.0.0.1", "128.0.0.1", "'::2'", "'::ffff:127.0.0.1'", "'*'", "~",
                          "[127.0.0.1]", "127"],
                         ["127.0.0.256", "127.1", "':::1'"]),
    "listen[].port": (["1", "65535", "'8080'"], [*COUNT, "65536", "none", "http"], ["'65536'"]),
    "listen[].tls": (["{certificate: /c, key: /k}"],
                     ["~", "/c", "[]", "{}", "{certificate: /c}", "{key: /k}", "{certificate: /c, key: /k, chain: /a}"], []),
    "listen[].tls.certificate": (["/c"], PATH, []),
    "listen[].tls.key": (["/k"], PATH, []),
    "tokens": (["/t"], PATH, []),
    "origins": (["[]", "[\"https://example.org\", \"http://localhost:3000\", \"app+a://[::1]:1\"]"],
                ["https://example.org", "~", "{a: b}", "[example.org]", "['null']", "['https://a/b']", "['https://']", "['://a']",
                 "['HTTPS://a']", "[~]", "[[a]]", "[" + ", ".join(f"'http://a:{port}'" for port in range(101)) + "]"], []),
    "admission": (["{}", "{memory: 80%, queue: none, per_client_rate: 1, burst: 1}"], ["1", "[]", "~", "{rate: 1}"], []),
    "admission.memory": (["80%", "10000%", "'007%'", "4G", "1048576", "none"], [*SIZE, "0%", "10001%", "1.5%", "80 %", "all"], []),
    "admission.queue": (["1", "10000", "none"], [*COUNT, "10001"], ["'10001'"]),
    "admission.per_client_rate": (["1", "1000000", "none"], [*COUNT, "1000001"], []),
    "admission.burst": (["1", "1000000"], [*COUNT, "1000001"], []),
    "pool": (["{}", "{memory: none, sandboxes: []}"], ["1", "[]", "~", "{images: []}"], []),
    "pool.memory": (["25%", "4G", "none"], [*SIZE, "0%", "half"], []),
    "pool.sandboxes": (["[]", "[{image: a}, {image: a, policy: b}]"],
                       ["a", "~", "{image: a}", "[a]", "[{}]", "[{policy: a}]", "[{image: a, memory: 1G}]", "[{image: a}, {image: a}]"],
                       ["[{image: a}, {image: a, policy: default}]"]),
    "pool.sandboxes[].image": (["host", "python-3.11", "3.11", "3"], NAME, []),
    "pool.sandboxes[].policy": (["strict"], [*NAME, "./a.yaml"], []),
    "pool.sandboxes[].count": (["1", "1000", "none", "'4'"], [*COUNT, "1001"], ["'1001'"]),
}

PLACES = {
    "listen[].address": "listen: [{{address: {}, port: 1}}]\n",
    "listen[].port": "listen: [{{address: 127.0.0.1, port: {}}}]\n",
    "listen[].tls": "listen: [{{address: 10.0.0.1, port: 1, tls: {}}}]\n",
    "listen[].tls.certificate": "listen: [{{address: 10.0.0.1, port: 1, tls: {{certificate: {}, key: /k}}}}]\n",
    "listen[].tls.key": "listen: [{{address: '::', port: 1, tls: {{certificate: /c, key: {}}}}}]\n",
    "pool.sandboxes[].image": "pool: {{sandboxes: [{{image: {}}}]}}\n",
    "pool.sandboxes[].policy": "pool: {{sandboxes: [{{image: a, policy: {}}}]}}\n",
    "pool.sandboxes[].count": "pool: {{sandboxes: [{{image: a, count: {}}}]}}\n",
}

GOOD = ["{}\n", "max_sandboxes: 1 # one\n", "\"max_sandboxes\": 1\n"]
BAD = ["", "- a\n", "a\n", "~\n", "max_sandbox: 1\n", "Log: {}\n", "zz: 1\n"]
BAD_FOR_THE_PARSER = ["max_sandboxes: 1\nmax_sandboxes: 2\n", "max_sandboxes: &m 1\n", "max_sandboxes: 1\n---\nlog: {}\n"]


def document(key, value):
    if key in PLACES:
        return PLACES[key].format(value)
    parts = key.split(".")
    return f"{parts[0]}: {value}\n" if len(parts) == 1 else f"{parts[0]}: {{{parts[1]}: {value}}}\n"


def keys_of(schema, node, above=""):
    """Each key with its part of the schema."""
    if "$ref" in node and "properties" not in node:
        node = schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
    for name, value in node.get("properties", {}).items():
        yield above + name, value
        yield from keys_of(schema, value, above + name + ".")
    if isinstance(node.get("items"), dict):
        yield from keys_of(schema, node["items"], above.removesuffix(".") + "[].")


def check_keys(checks, schema):
    found = dict(keys_of(schema.content, schema.content))
    checks.expect("each key is tried", set(found) == set(KEYS), sorted(set(found) ^ set(KEYS)))
    for key, (right, wrong, wrong_for_the_parser) in KEYS.items():
        checks.expect(f"{key}: a right value and a wrong one", right and wrong)
        default = [json.dumps(found[key]["default"])] if "default" in found.get(key, {}) else []
        for value in [*default, *right]:
            checks.both_take(schema, "config", f"{key}: {value}", document(key, value))
        for value in wrong:
            checks.both_refuse(schema, "config", f"{key}: {value}", document(key, value))
        for value in wrong_for_the_parser:
            checks.parser_refuses("config", f"{key}: {value}", document(key, value))


def check_examples(checks, schema):
    examples = re.findall(r"^```yaml\n(.*?)^```", (DOCS / "configuration.md").read_text(), re.M | re.S)
    # A list of tokens is the file of tokens, which is another one.
    of_tokens = [text for text in examples if re.match(r"tokens:\s*\n", text)]
    checks.expect("configuration.md: one example of tokens", len(of_tokens) == 1)
    checks.expect("configuration.md: examples", len(examples) >= 4, len(examples))
    for text in examples:
        if text not in of_tokens:
            checks.both_take(schema, "config", f"example {text!r}", text)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    checks = Checks(sys.argv[1])
    schema = Schema(json.loads((DOCS / "config.schema.json").read_text()))
    check_keys(checks, schema)
    check_examples(checks, schema)
    for text in GOOD:
        checks.both_take(schema, "config", repr(text), text)
    for text in BAD:
        checks.both_refuse(schema, "config", repr(text), text)
    for text in BAD_FOR_THE_PARSER:
        checks.parser_refuses("config", repr(text), text)
    checks.end("config_schema_test")


if __name__ == "__main__":
    main()
