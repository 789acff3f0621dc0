#!/usr/bin/env python3
"""The JSON Schemas of policies/ and the parser agree: schema_test.py CHECK_POLICY (the program).

Editors and people read the schemas, the supervisor's parser decides: what ships must pass both, and what is
wrong in a way that a schema can say must fail both.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from support.schema_checks import Checks, Schema  # noqa: E402

POLICIES = pathlib.Path(__file__).resolve().parents[3] / "policies"

POLICY = """\
name: small
description: a test
limits: {memory: 512M, cpus: 1, pids: 256, wall-time: 60s, cpu-time: none, nofile: 1024, fsize: none,
         tmp: 256M, disk: 1G, inodes: 100000, output-limit: 8M}
seccomp: default
"""

PROFILE = """\
name: small
description: a test
default_error: EPERM
groups:
  - name: io
    reason: to read
    allow: [read, write]
    rules:
      - syscalls: [ioctl]
        action: EPERM
        when: [{argument: 1, equals: 0x5412}]
"""

# (what to replace, with what); an empty first part appends.
GOOD = {
    "policy": [
        ("", ""),
        ("memory: 512M", 'memory: "512M"'),
        ("memory: 512M", "memory: 0.5g"),
        ("memory: 512M", "memory: 1048576"),
        ("memory: 512M", "memory: none"),
        ("cpus: 1", "cpus: 0.5"),
        ("cpus: 1", "cpus: all"),
        ("cpus: 1", 'cpus: "0.01"'),
        ("wall-time: 60s", "wall-time: 1.5"),
        ("wall-time: 60s", "wall-time: 1500ms"),
        ("wall-time: 60s", "wall-time: 2H"),
        ("", "ceilings: {}\n"),
        ("", "ceilings: {memory: 8G, cpus: all, wall-time: none}\n"),
        ("", "wall_time_with_tty: unlimited\nwritable_root: true\nworkspace: {layout: flat}\n"),
        ("", "workspace: {}\nallow_degraded: [memory, swap, socket_memory, pids, cpu, cpu_accounting, "
         "idmapped_mounts]\n"),
        ("", "bind_roots: []\n"),
        ("", "uploads: {}\n"),
        ("", "uploads: {file_bytes: none, types: []}\n"),
        ("", "uploads: {file_bytes: 2G, types: ['*/*', text/*, application/vnd.sqlite3]}\n"),
        ("", "bind_roots:\n  - path: /srv/data\n  - {path: /home/a.b/.c/, mode: rw, users: [a, 1000], groups: ['27']}\n"),
    ],
    "seccomp": [
        ("", ""),
        ("default_error: EPERM\n", ""),
        ("action: EPERM", "action: allow"),
        ("equals: 0x5412", "equals: [1, 0x20, 0o17]"),
        ("equals: 0x5412", "mask: 0xf, differs: [1, 2]"),
        ("equals: 0x5412", 'mask: 18446744073709551615, equals: "0x100000000"'),
        ("    allow: [read, write]\n", ""),
    ],
}

# Refused by both.
BAD = {
    "policy": [
        ("name: small\n", ""),
        ("name: small", "name: -small"),
        ("name: small", "name: a/b"),
        ("name: small", "name: ''"),
        ("name: small", "name: " + "a" * 65),
        ("name: small", "name: [small]"),
        ("description: a test\n", ""),
        ("description: a test", "description: [a]"),
        ("description: a test", "description:"),
        ("seccomp: default\n", ""),
        ("seccomp: default", "seccomp: ../default"),
        ("memory: 512M, ", ""),
        ("memory: 512M", "memory: 0"),
        ("memory: 512M", "memory: -1"),
        ("memory: 512M", "memory: 0M"),
        ("memory: 512M", "memory: 512T"),
        ("memory: 512M", "memory: 512 M"),
        ("memory: 512M", "memory: unlimited"),
        ("memory: 512M", "memory: all"),
        ("memory: 512M", "memory: [512M]"),
        ("memory: 512M", "memory: ~"),
        ("memory: 512M", "memory: true"),
        ("memory: 512M", "memory: .5G"),
        ("memory: 512M", "memory: 1.0123456789G"),
        ("cpus: 1", "cpus: 0"),
        ("cpus: 1", "cpus: 0.001"),
        ("cpus: 1", "cpus: none"),
        ("cpus: 1", "cpus: 1x"),
        ("pids: 256", "pids: 0"),
        ("pids: 256", "pids: 1K"),
        ("pids: 256", "pids: 1.5"),
        ("wall-time: 60s", "wall-time: 60d"),
        ("wall-time: 60s", "wall-time: 0ms"),
        ("wall-time: 60s", "wall_time: 60s"),
        ("cpu-time: none", "cpu-time: none, swap: 1"),
        ("limits:", "limit:"),
        ("", "limits: none\n"),
        ("", "ceilings: {memroy: 8G}\n"),
        ("", "ceilings: {memory: 0}\n"),
        ("", "ceilings: [memory]\n"),
        ("", "ceilings: none\n"),
        ("", "wall_time_with_tty: true\n"),
        ("", "wall-time-with-tty: limited\n"),
        ("", "writable_root: 'true'\n"),
        ("", "writable_root: yes\n"),
        ("", "writable_root: 1\n"),
        ("", "workspace: flat\n"),
        ("", "workspace: {layout: round}\n"),
        ("", "workspace: {shape: flat}\n"),
        ("", "allow_degraded: swap\n"),
        ("", "allow_degraded: [swap, swap]\n"),
        ("", "allow_degraded: [seccomp]\n"),
        ("", "network: host\n"),
        ("", "uploads: []\n"),
        ("", "uploads: {file_bytes: 0}\n"),
        ("", "uploads: {file_bytes: all}\n"),
        ("", "uploads: {types: text/*}\n"),
        ("", "uploads: {types: [text]}\n"),
        ("", "uploads: {types: ['*/x']}\n"),
        ("", "uploads: {types: [Text/plain]}\n"),
        ("", "uploads: {types: [a/b/c]}\n"),
        ("", "uploads: {size: 1}\n"),
        ("", "bind_roots: /srv\n"),
        ("", "bind_roots: [/srv]\n"),
        ("", "bind_roots: [{mode: rw}]\n"),
        ("", "bind_roots: [{path: srv}]\n"),
        ("", "bind_roots: [{path: /}]\n"),
        ("", "bind_roots: [{path: /srv//data}]\n"),
        ("", "bind_roots: [{path: /srv/../etc}]\n"),
        ("", "bind_roots: [{path: /srv, mode: cow}]\n"),
        ("", "bind_roots: [{path: /srv, users: a}]\n"),
        ("", "bind_roots: [{path: /srv, users: []}]\n"),
        ("", "bind_roots: [{path: /srv, groups: ['']}]\n"),
        ("", "bind_roots: [{path: /srv, user: a}]\n"),
    ],
    "seccomp": [
        ("name: small\n", ""),
        ("name: small", "name: a b"),
        ("description: a test\n", ""),
        ("default_error: EPERM", "default_error: permission"),
        ("default_error: EPERM", "default_error: 1"),
        ("default_error: EPERM", "default_action: allow"),
        ("    reason: to read\n", ""),
        ("reason: to read", "reason: ''"),
        ("reason: to read", "reason: [a]"),
        ("  - name: io\n", "  - optional: true\n    name: io\n"),
        ("allow: [read, write]", "allow: read"),
        ("allow: [read, write]", "allow: [[read]]"),
        ("allow: [read, write]", "allow: ['']"),
        ("[ioctl]", "[]"),
        ("[ioctl]", "ioctl"),
        ("action: EPERM", "action: kill"),
        ("        action: EPERM\n", ""),
        ("action: EPERM", "errno: EPERM"),
        ("[{argument: 1, equals: 0x5412}]", "[]"),
        ("[{argument: 1, equals: 0x5412}]", "{argument: 1, equals: 0x5412}"),
        ("argument: 1, ", ""),
        ("argument: 1", "argument: 6"),
        ("argument: 1", "argument: -1"),
        ("argument: 1", "argument: path"),
        ("equals: 0x5412", "mask: 1"),
        ("equals: 0x5412", "equals: 1, differs: 1"),
        ("equals: 0x5412", "equals: []"),
        ("equals: 0x5412", "equals: AF_UNIX"),
        ("equals: 0x5412", "equals: -1"),
        ("equals: 0x5412", "equals: 1.5"),
        ("equals: 0x5412", "mask: 0, equals: 0"),
        ("equals: 0x5412", "equal: 1"),
    ],
}

# Refused by the parser; a schema cannot say it.
BAD_FOR_THE_PARSER = {
    "policy": [
        ("", "name: small\n"),
        ("memory: 512M", "memory: &m 512M"),
        ("memory: 512M", "memory: !!str 512M"),
        ("memory: 512M", "memory: 99999999999G"),
        ("", "---\nname: other\n"),
        ("", "ceilings: {memory: 511M}\n"),
        ("", "ceilings: {cpus: 0.5}\n"),
    ],
    "seccomp": [
        ("default_error: EPERM", "default_error: EWHATEVER"),
        ("[read, write]", "[read, wriet]"),
        ("[read, write]", "[read, read]"),
        ("[read, write]", "[read, ioctl]"),
        ("equals: 0x5412", "equals: 0x100000000"),
        ("equals: 0x5412", "mask: 0xf, equals: 16"),
        ("equals: 0x5412", "equals: 0100"),
        ("", "description: again\n"),
    ],
}


def variant(text, change):
    old, new = change
    if not old:
        return text + new
    assert old in text, old
    return text.replace(old, new, 1)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    checks = Checks(sys.argv[1])
    for kind, base in (("policy", POLICY), ("seccomp", PROFILE)):
        schema = Schema(json.loads((POLICIES / f"{kind}.schema.json").read_text()))
        directory = POLICIES if kind == "policy" else POLICIES / "seccomp"
        shipped = sorted(directory.glob("*.yaml"))
        checks.expect(f"{kind}: three files ship", len(shipped) == 3)
        for path in shipped:
            checks.both_take(schema, kind, path.name, path.read_text())
        for change in GOOD[kind]:
            checks.both_take(schema, kind, change, variant(base, change))
        for change in BAD[kind]:
            # A second `limits` is a duplicate key for the parser and the last one for PyYAML.
            checks.both_refuse(schema, kind, change, variant(base, change))
        for change in BAD_FOR_THE_PARSER[kind]:
            checks.parser_refuses(kind, change, variant(base, change))

    schema = json.loads((POLICIES / "policy.schema.json").read_text())
    limits = schema["properties"]["limits"]
    checks.expect("limits: all required", sorted(limits["required"]) == sorted(limits["properties"]))
    ceilings = schema["properties"]["ceilings"]["properties"]
    checks.expect("ceilings: the same keys", list(ceilings) == list(limits["properties"]))
    checks.end("schema_test")


if __name__ == "__main__":
    main()
