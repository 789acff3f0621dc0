"""Client of sbxd, which runs code in sandboxes.

    with sbx.Client() as client, client.get_sandbox(task_id="demo", image="python-3.11") as sandbox:
        print(sandbox.execute("echo hello").check().stdout)

AsyncClient is the same for asyncio.
"""

from .asynchronous import AsyncClient, AsyncEventStream, AsyncSandbox
from .blocking import Client, EventStream, Sandbox
from .errors import (BadRequest, Conflict, ConnectionFailed, Forbidden, Gone, NotFound, PreconditionFailed, Problem, ProtocolError,
                     RunFailed, SbxError, TimedOut, TooManyRequests, Unauthorized, Unavailable, Unprocessable)
from .events import Event, Exit, Gap, Other, Output, Stage
from .values import Captured, Changed, Changes, Current, Extracted, Failure, FileInfo, FilesChecked, LimitHit, ProjectFile, ProjectInfo, RunResult, SandboxInfo, SandboxStats, Snapshot, StoredFile, Tests, Transaction, Usage

__version__ = "0.1.0"
__all__ = [
    "AsyncClient", "AsyncEventStream", "AsyncSandbox", "BadRequest", "Captured", "Changed", "Changes", "Client", "Conflict", "ConnectionFailed",
    "Current", "Event", "EventStream", "Exit", "Extracted", "Failure", "FileInfo", "FilesChecked", "Forbidden", "Gap", "Gone", "LimitHit", "NotFound", "Other", "Output",
    "PreconditionFailed", "Problem", "ProjectFile", "ProjectInfo",
    "ProtocolError", "RunFailed", "RunResult", "Sandbox", "SandboxInfo", "SandboxStats", "SbxError", "Snapshot", "Stage", "StoredFile", "Tests", "TimedOut",
    "TooManyRequests", "Transaction", "Unauthorized", "Unavailable", "Unprocessable", "Usage",
]
