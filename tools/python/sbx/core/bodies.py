"""The bodies of requests: what may be asked for, and how it is written."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Command: TypeAlias = str | Sequence[str]
Files: TypeAlias = Mapping[str, str | bytes]
Number: TypeAlias = int | float
Limits: TypeAlias = Mapping[str, Number]


@dataclass(frozen=True)
class Body:
    json: dict[str, Any]
    timeout: float | None  # of the program


def milliseconds(seconds: float) -> int:
    if not seconds > 0 or math.isinf(seconds):
        raise ValueError(f"not a time of more than nothing: {seconds!r}")
    return max(1, math.ceil(seconds * 1000))


def some(**members: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in members.items() if value is not None}


def _command(command: Command) -> dict[str, Any]:
    if isinstance(command, str):
        return {"shell": command}
    if isinstance(command, (bytes, bytearray)):
        raise TypeError("a command is a line of text or a list of words, not bytes")
    return {"command": list(command)}


def _input(stdin: str | bytes | None) -> dict[str, Any]:
    if isinstance(stdin, (bytes, bytearray)):
        return {"stdin_base64": base64.b64encode(stdin).decode("ascii")}
    return some(stdin=stdin)


def _files(files: Files | None) -> list[dict[str, str]] | None:
    if files is None:
        return None
    return [{"name": name, "content": content} if isinstance(content, str)
            else {"name": name, "content_base64": base64.b64encode(content).decode("ascii")}
            for name, content in files.items()]


def _mapping(mapping: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if mapping is None else dict(mapping)


def _run(what: dict[str, Any], timeout: float | None, cwd: str | None, env: Mapping[str, str] | None,
         stdin: str | bytes | None, limits: Limits | None, labels: Mapping[str, str] | None) -> Body:
    json = {**what, **_input(stdin),
            **some(timeout_ms=None if timeout is None else milliseconds(timeout), cwd=cwd, env=_mapping(env),
                   limits=_mapping(limits), labels=_mapping(labels))}
    return Body(json, timeout)


def command_body(command: Command, *, timeout: float | None = None, cwd: str | None = None,
                 env: Mapping[str, str] | None = None,
                 stdin: str | bytes | None = None, limits: Limits | None = None, labels: Mapping[str, str] | None = None,
                 session: str | None = None) -> Body:
    """A command: a line for /bin/sh, or a list of words.

    `timeout`: its wall time in seconds; `limits`: as docs/api.md names them, {"cpu_ms": 500, "output_bytes": 10_000}.
    `session`: a line for the shell of that name, which keeps its directory and variables for the next one.
    """
    return _run({**_command(command), **some(session=session)}, timeout, cwd, env, stdin, limits, labels)


def code_body(language: str, code: str | None = None, *, path: str | None = None, files: Files | None = None,
         arguments: Sequence[str] | None = None, action: str = "run", timeout: float | None = None, cwd: str | None = None,
         env: Mapping[str, str] | None = None, stdin: str | bytes | None = None, limits: Limits | None = None,
         compile_limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Body:
    """Code of a language, or `path` of what is there; `files` are put beside it.

    `action`: run, check, test, format, lint or type-check, where the language has it.
    """
    what = some(language=language, code=code, path=path, files=_files(files), action=action,
                arguments=None if arguments is None else list(arguments), compile_limits=_mapping(compile_limits))
    return _run(what, timeout, cwd, env, stdin, limits, labels)


def tests_body(path: str = ".", *, language: str = "python", arguments: Sequence[str] | None = None, timeout: float | None = None,
          env: Mapping[str, str] | None = None, limits: Limits | None = None) -> Body:
    """The tests below `path`, by the language's test runner: `RunResult.tests` counts them."""
    return code_body(language, path=path, arguments=arguments, action="test", timeout=timeout, env=env, limits=limits)


def in_own_sandbox(body: Body, image: str | None, policy: str | None, project_id: str | None, task_id: str | None,
                   workspace_mode: str | None, transaction: str | None, show_changes: bool | None, hostname: str | None) -> Body:
    place = some(image=image, policy=policy, project_id=project_id, task_id=task_id, workspace_mode=workspace_mode,
                 transaction=transaction, show_changes=show_changes, hostname=hostname)
    return Body({**body.json, **place}, body.timeout)


def own_command_body(
        command: Command, *, image: str | None = None, policy: str | None = None, project_id: str | None = None,
        task_id: str | None = None, workspace_mode: str | None = None, transaction: str | None = None,
        show_changes: bool | None = None, hostname: str | None = None, timeout: float | None = None, cwd: str | None = None, env: Mapping[str, str] | None = None,
        stdin: str | bytes | None = None, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Body:
    """A command in a sandbox of its own, which is gone behind it: a line for /bin/sh, or a list of words."""
    return in_own_sandbox(command_body(command, timeout=timeout, cwd=cwd, env=env, stdin=stdin, limits=limits, labels=labels),
                          image, policy, project_id, task_id, workspace_mode, transaction, show_changes, hostname)


def own_code_body(
        language: str, code: str | None = None, *, files: Files | None = None, path: str | None = None,
        arguments: Sequence[str] | None = None, action: str = "run", image: str | None = None, policy: str | None = None,
        project_id: str | None = None, task_id: str | None = None, workspace_mode: str | None = None,
        transaction: str | None = None, show_changes: bool | None = None, hostname: str | None = None, timeout: float | None = None, cwd: str | None = None,
        env: Mapping[str, str] | None = None, stdin: str | bytes | None = None, limits: Limits | None = None,
        compile_limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Body:
    """Code of a language in a sandbox of its own, which is gone behind it."""
    body = code_body(language, code, path=path, files=files, arguments=arguments, action=action, timeout=timeout, cwd=cwd,
                     env=env, stdin=stdin, limits=limits, compile_limits=compile_limits, labels=labels)
    return in_own_sandbox(body, image, policy, project_id, task_id, workspace_mode, transaction, show_changes, hostname)


def sandbox_body(*, task_id: str | None, image: str | None, policy: str | None, project_id: str | None,
            workspace_mode: str | None, transaction: str | None, hostname: str | None, env: Mapping[str, str] | None,
            limits: Limits | None,
            labels: Mapping[str, str] | None, binds: Sequence[Mapping[str, str]] | None, configuration: str | None,
            idle: float | None, total: float | None) -> dict[str, Any]:
    return some(task_id=task_id, image=image, policy=policy, project_id=project_id, workspace_mode=workspace_mode,
                transaction=transaction, hostname=hostname, env=_mapping(env), limits=_mapping(limits), labels=_mapping(labels),
                binds=None if binds is None else [dict(bind) for bind in binds], configuration=configuration,
                idle_ms=None if idle is None else milliseconds(idle), total_ms=None if total is None else milliseconds(total))
