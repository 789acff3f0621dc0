"""Plans of the files of a project, beside its runs. Paths begin at the top of its workspace; the id of a file stands for its path."""

from __future__ import annotations

import os
from functools import partial
from typing import BinaryIO, Literal
from urllib.parse import quote, urlencode

from ..values import Extracted, FilesChecked, ProjectFile, StoredFile, get, objects
from .bodies import some
from .exchange import ask, ask_json
from .files import Content, Progress, path_query, save, with_content
from .runs import Server
from .session import Request
from .steps import Plan


def _target(project_id: str, rest: str, path: str | None, **query: str | None) -> str:
    named = {} if path is None else path_query("path", path)
    return f"/v1/projects/{quote(project_id, safe='')}/files{rest}?" + urlencode({**named, **some(**query)})


def _flag(flag: bool) -> str:
    return "true" if flag else "false"


def project_files(server: Server, project_id: str, path: str | None = None, *, recursive: bool = False) -> Plan[list[ProjectFile]]:
    """What is in a folder, by name; with `recursive` all below it, at most 10,000 of them."""
    found: list[ProjectFile] = []
    cursor: str | None = None
    while True:
        target = _target(project_id, "/list", path, cursor=cursor, recursive="true" if recursive else None)
        json = yield from ask_json(server.session, Request("GET", target))
        found += [ProjectFile.of(entry) for entry in objects(json, "files")]
        cursor = get(json, "next_cursor", str)
        if cursor is None:
            return found


def project_file(server: Server, project_id: str, path: str) -> Plan[ProjectFile]:
    """What a path is. NotFound: nothing."""
    return ProjectFile.of((yield from ask_json(server.session, Request("GET", _target(project_id, "/stat", path)))))


def read_project_file(server: Server, project_id: str, path: str, *, start: int | None = None, size: int | None = None) -> Plan[bytes]:
    """A file's content, or `size` bytes of it from `start` on."""
    headers = {}
    if start is not None or size is not None:
        first = start or 0
        headers["Range"] = f"bytes={first}-" + ("" if size is None else str(first + size - 1))
    answer = yield from ask(server.session, Request("GET", _target(project_id, "", path), headers=headers))
    return (yield from answer.read_all(1 << 40))


def download_project_file(server: Server, project_id: str, path: str, to: BinaryIO | str | os.PathLike[str], *,
                          progress: Progress | None = None) -> Plan[int]:
    """Copies a file of any size to one of this machine, piece by piece; how many bytes it has. `progress` is told that, too."""
    answer = yield from ask(server.session, Request("GET", _target(project_id, "", path)))
    return (yield from save(answer, to, progress))


def download_project_folder(server: Server, project_id: str, to: BinaryIO | str | os.PathLike[str], path: str | None = None, *,
                            archive: Literal["tar", "zip"] = "tar", progress: Progress | None = None) -> Plan[int]:
    """A folder, or all of the project, as an archive."""
    answer = yield from ask(server.session, Request("GET", _target(project_id, "", path, archive=archive)))
    return (yield from save(answer, to, progress))


def upload(server: Server, project_id: str, name: str, content: Content, *, folder: str | None = None,
           taken: Literal["rename", "replace", "refuse"] = "rename", policy: str | None = None,
           progress: Progress | None = None) -> Plan[StoredFile]:
    """A new file in `folder` (`project_files`, if not said). Where the name is taken it gets a number, if not said otherwise; the same
    content is not stored again. A file of this machine (in binary mode) and other pieces are sent as they come; `progress` is
    told how many bytes that were. Conflict: the name is taken (`refuse`)."""
    target = _target(project_id, "", folder, name=name, taken=taken, policy=policy)
    request = with_content(partial(Request, "POST", target, again=False, patience=server.session.wait_timeout), content, progress)
    return StoredFile.of((yield from ask_json(server.session, request)))


def write_project_file(server: Server, project_id: str, path: str, content: Content, *, parents: bool = True, if_sha256: str | None = None,
                       if_new: bool = False, policy: str | None = None, progress: Progress | None = None) -> Plan[StoredFile]:
    """That file has this content from now on; nobody sees it half. PreconditionFailed, and nothing is written: with `if_sha256` the
    file that is there has other content, with `if_new` there is one."""
    headers = some(**{"If-Match": None if if_sha256 is None else f'"{if_sha256}"', "If-None-Match": "*" if if_new else None})
    target = _target(project_id, "", path, parents=_flag(parents), policy=policy)
    make = partial(Request, "PUT", target, headers=headers, again=not headers, patience=server.session.wait_timeout)
    return StoredFile.of((yield from ask_json(server.session, with_content(make, content, progress))))


def extract_archive(server: Server, project_id: str, name: str, content: Content, *, folder: str | None = None,
                    on_refused: Literal["fail", "skip"] = "fail", policy: str | None = None,
                    progress: Progress | None = None) -> Plan[Extracted]:
    """An archive becomes the new folder `name`. Unprocessable: it is none; or a member is refused, and with it (`fail`) all."""
    target = _target(project_id, "/extract", folder, name=name, on_refused=on_refused, policy=policy)
    request = with_content(partial(Request, "POST", target, again=False, patience=server.session.wait_timeout), content, progress)
    return Extracted.of((yield from ask_json(server.session, request)))


def delete_project_file(server: Server, project_id: str, path: str, *, recursive: bool = False) -> Plan[None]:
    """Removes a file, a link or an empty folder; with `recursive` one with all that is in it."""
    request = Request("DELETE", _target(project_id, "", path, recursive=_flag(recursive)), again=False)
    answer = yield from ask(server.session, request)
    yield from answer.read_all(1 << 20)


def make_project_folder(server: Server, project_id: str, path: str) -> Plan[ProjectFile]:
    """Makes a folder, and those above it."""
    return ProjectFile.of((yield from ask_json(server.session, Request("POST", _target(project_id, "/directory", path)))))


def move_project_file(server: Server, project_id: str, path: str, to: str, *, replace: bool = False) -> Plan[ProjectFile]:
    """Gives something another name; with `replace` that of a file that is there. Its id stays."""
    query = {**path_query("from", path), **path_query("to", to), "replace": _flag(replace)}
    target = f"/v1/projects/{quote(project_id, safe='')}/files/move?{urlencode(query)}"
    return ProjectFile.of((yield from ask_json(server.session, Request("POST", target, again=False))))


def check_project_files(server: Server, project_id: str, *, adopt: bool = False) -> Plan[FilesChecked]:
    """How the list of files and the files differed. The list is repaired, and no file is touched; with `adopt` what programs made gets
    an id, too."""
    request = Request("POST", _target(project_id, "/check", None, adopt=_flag(adopt)), patience=server.session.wait_timeout)
    return FilesChecked.of((yield from ask_json(server.session, request)))
