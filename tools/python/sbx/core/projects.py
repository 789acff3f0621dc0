"""Plans of projects, their transactions and their snapshots."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..values import Changes, ProjectInfo, Snapshot, Transaction, objects
from .bodies import some
from .exchange import MOST_JSON, ask, ask_json
from .pages import paged
from .runs import Server
from .session import Request, post
from .steps import Plan, Stream


def _target(project_id: str, *more: str) -> str:
    return "/v1/projects/" + "/".join(quote(part, safe="") for part in (project_id, *more))


def _forced(target: str, force: bool) -> str:
    return target + "?force" if force else target


def _limits(disk_bytes: int | None, inodes: int | None) -> dict[str, Any]:
    return some(disk_bytes=disk_bytes, inodes=inodes)


def _done(server: Server, request: Request) -> Plan[None]:
    answer = yield from ask(server.session, request)
    yield from answer.read_all(MOST_JSON)


def projects(server: Server, *, page: int = 1000) -> Stream[ProjectInfo]:
    """All projects, by their names; they are asked for by pages."""
    return paged(server.session, "/v1/projects", {"limit": page}, "projects", ProjectInfo.of)


def project(server: Server, project_id: str) -> Plan[ProjectInfo]:
    """The project, with how much is in it. NotFound: there is none."""
    return ProjectInfo.of((yield from ask_json(server.session, Request("GET", _target(project_id)))))


def create_project(server: Server, project_id: str, *, disk_bytes: int | None = None, inodes: int | None = None,
                   policy: str | None = None) -> Plan[ProjectInfo]:
    """Make a project before its first run. Limits that are not given are the policy's. Conflict: there is one."""
    limits = _limits(disk_bytes, inodes)
    body = some(project_id=project_id, limits=limits or None, policy=policy)
    return ProjectInfo.of((yield from ask_json(server.session, post("/v1/projects", body, again=False))))


def limit_project(server: Server, project_id: str, *, disk_bytes: int | None = None, inodes: int | None = None) -> Plan[ProjectInfo]:
    """Give it other limits, while no sandbox uses it."""
    request = post(_target(project_id), {"limits": _limits(disk_bytes, inodes)}, patience=server.session.wait_timeout)
    request = Request("PATCH", request.target, request.headers, request.body, patience=request.patience)
    return ProjectInfo.of((yield from ask_json(server.session, request)))


def rename_project(server: Server, project_id: str, new_id: str, *, force: bool = False) -> Plan[ProjectInfo]:
    """Give it another name. Conflict: something runs in it (`force` ends that first), or the name is taken."""
    request = post(_forced(_target(project_id, "rename"), force), {"project_id": new_id}, again=False)
    return ProjectInfo.of((yield from ask_json(server.session, request)))


def delete_project(server: Server, project_id: str, *, force: bool = False) -> Plan[None]:
    """Delete it, with all that is in it. Conflict: something runs in it; `force` ends that first."""
    return _done(server, Request("DELETE", _forced(_target(project_id), force), again=False, patience=server.session.wait_timeout))


def transactions(server: Server, project_id: str) -> Plan[list[Transaction]]:
    """Those that wait for a decision."""
    json = yield from ask_json(server.session, Request("GET", _target(project_id, "transactions")))
    return [Transaction.of(one) for one in objects(json, "transactions")]


def changes(server: Server, project_id: str, transaction: str) -> Plan[Changes]:
    """What a transaction changes."""
    target = _target(project_id, "transactions", transaction, "diff")
    return Changes.of((yield from ask_json(server.session, Request("GET", target, patience=server.session.wait_timeout))))


def patch(server: Server, project_id: str, transaction: str) -> Plan[bytes]:
    """The same as a unified patch; binary files by their SHA-256."""
    target = _target(project_id, "transactions", transaction, "diff") + "?format=patch"
    answer = yield from ask(server.session, Request("GET", target, patience=server.session.wait_timeout))
    return (yield from answer.read_all(MOST_JSON))


def commit(server: Server, project_id: str, transaction: str) -> Plan[None]:
    """The project has its changes from now on. Conflict: a run has it or writes to the project; or the project has changed
    meanwhile, and not to the same, at the paths `body["conflicts"]`."""
    target = _target(project_id, "transactions", transaction, "commit")
    return _done(server, Request("POST", target, again=False, patience=server.session.wait_timeout))


def discard(server: Server, project_id: str, transaction: str) -> Plan[None]:
    """Drop its changes."""
    return _done(server, Request("DELETE", _target(project_id, "transactions", transaction), again=False))


def snapshots(server: Server, project_id: str) -> Plan[list[Snapshot]]:
    """States of the project that are kept."""
    json = yield from ask_json(server.session, Request("GET", _target(project_id, "snapshots")))
    return [Snapshot.of(one) for one in objects(json, "snapshots")]


def take_snapshot(server: Server, project_id: str, name: str) -> Plan[Snapshot]:
    """Keep what the project has now. Conflict: there is one of this name."""
    request = post(_target(project_id, "snapshots"), {"name": name}, again=False, patience=server.session.wait_timeout)
    return Snapshot.of((yield from ask_json(server.session, request)))


def restore_snapshot(server: Server, project_id: str, name: str) -> Plan[None]:
    """The project has what it had then. Conflict: a run writes to it."""
    return _done(server, Request("POST", _target(project_id, "snapshots", name, "restore"), again=False))


def remove_snapshot(server: Server, project_id: str, name: str) -> Plan[None]:
    """Keep it no longer."""
    return _done(server, Request("DELETE", _target(project_id, "snapshots", name), again=False))
