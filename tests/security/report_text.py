"""The words of docs/containment.md; its tables are made by tests/security/report."""

ABSTRACT = """\
# Containment

What hostile code gets when it attacks sbx: {attacks} attacks and {traces} traces, each tried for this page in real sandboxes.
Written by `tests/security/report`; do not edit. What the promises are, and what is not promised, is in the
[threat model](threat-model.md).

- Date: {date}
- Commit: {commit}
- Machines (the last two or one emulated, see [tests/vm](../tests/vm/README.md)):
{machines}

## How to read it
Each row of a table is one attack: a few lines of C++ in `tests/security/attacks`, in the file of its family, that end with what
the attacker got. The same code runs in each column, each time in a process of its own:

- **outside**: by root on the machine itself, in a mount namespace of its own. `ok` here is the proof that the attack is real: that the
  call has the right arguments, and that nothing but sbx is in its way. What would harm the machine is "not tried", with the
  reason. Another error says that this machine or kernel lacks what is attacked, or that nobody may do it anywhere.
- **default**, **strict**, **permissive**: in a sandbox under this policy, started by a caller who is careless: his mounts are
  shared, and he leaves directories, sockets and secrets open and in his environment. With image `host`, which shows the machine's own
  `/usr`, and with `python-3.11`, an image of files.
- **without the filter**: in a sandbox like `default` whose system call filter allows every call. This is what the second control says.
  Where it is `ok`, the filter alone stops the attack.

The answers:

| answer | meaning |
| --- | --- |
| `ok` | the attacker has what he wants, and the attempt has checked it: foreign bytes were read, the process of another one is dead |
| an error (`EPERM`, `ENOSYS`, ...) | this is what he gets |
| in vain | no error, but not what he wanted either |
| `SIGSYS` | the filter kills him |
| late | nothing happened for ten seconds |
| not tried | there is nothing here to try it on, or, outside, it would do harm |

An answer that differs says by kernel ("on 6.1") or image where it was seen; "or" is what the table allows besides, for kernels and
machines that are not among those above. Whatever else comes is a failed test: `tests/security/containment_test.cc` and
`traces_test.cc` run with every `./tools/test` on the machine, and with `--full` on pure cgroup v2.
`tests/style/containment_is_current` fails when this page is not what the tables say.

Rows that are **not contained** come first in each table, and all together in a section of their own below.
"""

ATTACK_FAMILIES = {
    "not contained": "Attacks that succeed under `default`, `strict` or `permissive`, on one of the kernels at least: each says why that is "
    "bearable. What is `ok` under `permissive` alone is what that policy allows by name.",
    "abi": "Other numberings of system calls (i386, x32), other code segments, and bits of arguments that the filter and the kernel might read "
    "differently.",
    "cgroups": "Getting out of the control groups, changing limits, and seeing the groups of others.",
    "credentials": "Saying in messages to be somebody else.",
    "debugging": "Debugging one's own processes: allowed under `default` and `permissive`, but it must not lead around the filter.",
    "descriptors": "What a program inherits: descriptors, its directory, its environment. The caller of these runs leaves much open.",
    "devices": "Device nodes: those of the host, those that an attacker makes, and those that lie in what he is shown.",
    "files": "Writing to what is read-only or somebody else's, rights that files give, locks and watches on what all sandboxes share.",
    "init": "PID 1 of the sandbox, which tells the supervisor how the program ended: looking into it, limiting it, signalling it.",
    "interfaces": "Network interfaces, routes and neighbours, and the modules that requests to sockets load.",
    "ipc": "System V and POSIX objects of the host.",
    "kernel": "Rarely used kernel code, memory that no limit counts, and administration of the machine.",
    "mounts": "Changing the tree of files, leaving it, and reaching files by handles.",
    "multicast": "Multicast groups and lists of sources, which the kernel keeps in memory of nobody.",
    "namespaces": "New namespaces, which would give rights in them, and those of others.",
    "netlink": "Netlink sockets of every protocol.",
    "network": "The host's loopback, its other addresses, its Unix sockets, metadata services and the world.",
    "proc": "What `/proc` tells and what can be written there; init's files in it.",
    "processes": "Processes of the host: seeing, signalling, limiting, tracing them.",
    "rights": "Other ids, capabilities, set-id programs, limits, priorities.",
    "sockets": "Every family of sockets, and options that bring kernel code or rights.",
    "terminals": "Typing into terminals, taking them, and those of the host.",
    "user_limits": "What the kernel counts by user: nobody else's count may be used up.",
}

TRACES_TEXT = """
One sandbox leaves something; another one looks for it while the first lives (**at once**) and when it has ended (**afterwards**):
under each policy, and between two projects. `ok` is "found". **itself** is the sandbox that left it, which shows that it is there;
**outside** are two plain processes. The programs are in `tests/security/traces`.
"""

RESOURCES_TEXT = """
Programs that take all they can get, with 64 MB, 64 processes and one CPU (`tests/security/resources_test.cc`): how each ended, and the limit that it
felt. A neighbour, who runs `echo`, took so many milliseconds meanwhile, and so many before (medians; sandbox and all). The test fails only
where the neighbour starves: at ten times what he took before and half a second.
"""
