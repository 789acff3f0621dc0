"""Plans of a living sandbox's files, as its programs see them. A path that is not absolute begins at its start directory."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO, TypeAlias
from urllib.parse import urlencode

from ..values import FileInfo, get, objects
from .bodies import some
from .exchange import PIECE, Answer, ask, ask_json
from .sandboxes import Place
from .session import Request
from .steps import Plan, call

Content: TypeAlias = str | bytes | BinaryIO | Iterable[bytes]
Progress: TypeAlias = Callable[[int], object]


def path_query(name: str, path: str) -> dict[str, str]:
    """A path that is no text has surrogates for its bytes, as os.fsdecode makes them."""
    try:
        path.encode("utf-8")
        return {name: path}
    except UnicodeEncodeError:
        return {f"{name}_base64": base64.b64encode(path.encode("utf-8", "surrogateescape")).decode("ascii")}


def _target(place: Place, rest: str, path: str, **query: str | None) -> str:
    return f"{place.target}/files{rest}?" + urlencode({**path_query("path", path), **some(**query)})


def _true(flag: bool) -> str | None:
    return "true" if flag else None


def _done(place: Place, request: Request) -> Plan[None]:
    answer = yield from ask(place.session, request)
    yield from answer.read_all(1 << 20)


def read_file(place: Place, path: str) -> Plan[bytes]:
    """A file's content."""
    answer = yield from ask(place.session, Request("GET", _target(place, "", path)))
    return (yield from answer.read_all(1 << 40))


def read_text(place: Place, path: str) -> Plan[str]:
    """A file's content, which is UTF-8."""
    return (yield from read_file(place, path)).decode("utf-8")


def _open(path: str | os.PathLike[str]) -> BinaryIO:
    return open(path, "wb")


def _copy(answer: Answer, file: BinaryIO, progress: Progress | None) -> Plan[int]:
    size = 0
    while part := (yield from answer.read()):
        yield from call(partial(file.write, part))
        size += len(part)
        if progress is not None:
            progress(size)
    return size


def save(answer: Answer, to: BinaryIO | str | os.PathLike[str], progress: Progress | None = None) -> Plan[int]:
    """All of it, to a file of this machine; how many bytes it has."""
    try:
        if not isinstance(to, (str, os.PathLike)):
            return (yield from _copy(answer, to, progress))
        with (yield from call(partial(_open, to))) as file:
            return (yield from _copy(answer, file, progress))
    finally:
        answer.close()


def download(place: Place, path: str, to: BinaryIO | str | os.PathLike[str]) -> Plan[int]:
    """Copies a file of any size to one of this machine, piece by piece; how many bytes it has."""
    answer = yield from ask(place.session, Request("GET", _target(place, "", path)))
    return (yield from save(answer, to))


def _pieces(content: Iterable[bytes], progress: Progress | None = None) -> Iterator[bytes]:
    done = 0
    for piece in content:
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise TypeError(f"the content is not bytes, but {type(piece).__name__}: open a file in binary mode")
        if piece:
            yield bytes(piece)
        done += len(piece)
        if progress is not None:
            progress(done)


def _length(file: Any) -> int | None:
    """How much there is to read, where that can be told."""
    try:
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
        return int(end - here)
    except (AttributeError, OSError):
        return None


def with_content(request: Callable[..., Request], content: Content, progress: Progress | None = None) -> Request:
    """`request` with that as its body."""
    if isinstance(content, str):
        content = content.encode("utf-8")
    if isinstance(content, (bytes, bytearray, memoryview)) and progress is None:
        return request(body=bytes(content))
    if isinstance(content, (bytes, bytearray, memoryview)):
        content = io.BytesIO(content)
    if hasattr(content, "read"):
        pieces = _pieces(iter(partial(content.read, PIECE), b""), progress)
        return request(body=pieces, length=_length(content))
    return request(body=_pieces(content, progress))


def write_file(place: Place, path: str, content: Content, *, mode: int | None = None, parents: bool = False,
               if_sha256: str | None = None, if_new: bool = False) -> Plan[FileInfo]:
    """Makes a file, or one that is there anew: nobody sees it half. A file of this machine (in binary mode) and other
    pieces are sent as they come, however much that is. `parents`: makes the directories above it. PreconditionFailed,
    and nothing is written: with `if_sha256` the file that is there has other content, with `if_new` there is one."""
    headers = some(**{"If-Match": None if if_sha256 is None else f'"{if_sha256}"', "If-None-Match": "*" if if_new else None})
    target = _target(place, "", path, mode=None if mode is None else f"{mode:04o}", parents=_true(parents))
    sent = with_content(partial(Request, "PUT", target, headers=headers, again=not headers), content)
    return FileInfo.of((yield from ask_json(place.session, sent)), "path")


def delete_file(place: Place, path: str, *, recursive: bool = False) -> Plan[None]:
    """Removes a file, a link or an empty directory; with `recursive` one with all that is in it."""
    yield from _done(place, Request("DELETE", _target(place, "", path, recursive=_true(recursive)), again=False))


def make_directory(place: Place, path: str, *, parents: bool = False) -> Plan[None]:
    """Makes a directory; with `parents` those above it, too."""
    yield from _done(place, Request("POST", _target(place, "/directory", path, parents=_true(parents)), again=False))


def move_file(place: Place, path: str, to: str, *, parents: bool = False, replace: bool = False) -> Plan[None]:
    """Gives something another name; with `replace` that of a file that is there."""
    query = {**path_query("from", path), **path_query("to", to), **some(parents=_true(parents), replace=_true(replace))}
    yield from _done(place, Request("POST", f"{place.target}/files/move?{urlencode(query)}", again=False))


def stat(place: Place, path: str, *, follow: bool = False, sha256: bool = False) -> Plan[FileInfo]:
    """What a path is; with `follow` what it leads to; with `sha256` also the hash of a file's content."""
    target = _target(place, "/stat", path, follow=_true(follow), hash=_true(sha256))
    json = yield from ask_json(place.session, Request("GET", target))
    return FileInfo.of(json, "path")


def list_files(place: Place, path: str = ".") -> Plan[list[FileInfo]]:
    """What is in a directory, by name."""
    found: list[FileInfo] = []
    cursor: str | None = None
    while True:
        json = yield from ask_json(place.session, Request("GET", _target(place, "/list", path, cursor=cursor)))
        found += [FileInfo.of(entry, "name") for entry in objects(json, "entries")]
        cursor = get(json, "next_cursor", str)
        if cursor is None:
            return found
