"""Client and AsyncClient against a real sbxd, with real sandboxes: each case with both."""

import asyncio
import hashlib
import inspect
import io
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import sbx
from proxy import Proxy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from running_sbxd import PROGRAMS, CannotBuild, RunningSbxd  # noqa: E402

sbxd = None  # one for most of the cases


def setUpModule():
    global sbxd
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    try:
        sbxd = RunningSbxd(images=("python-3.11",))
    except CannotBuild:
        sbxd = RunningSbxd()


def needs_image(case):
    """Where no mirror answers, and the image is not there yet, it cannot be had."""
    if not sbxd.images:
        case.skipTest("the image python-3.11 cannot be built here")


def tearDownModule():
    sbxd.__exit__(None, None, None)


class Blocked:
    """Something of AsyncClient, used as if it blocked."""

    def __init__(self, thing, loop):
        self._thing = thing
        self._loop = loop

    def _wrap(self, value):
        if inspect.iscoroutine(value):
            return self._wrap(self._loop.run_until_complete(value))
        asynchronous = any(hasattr(value, name) for name in ("__anext__", "__aenter__", "__await__"))
        return Blocked(value, self._loop) if asynchronous else value

    def __getattr__(self, name):
        member = getattr(self._thing, name)
        if not inspect.isroutine(member):
            return self._wrap(member)
        return lambda *arguments, **options: self._wrap(member(*arguments, **options))

    def __iter__(self):
        return self

    def __next__(self):
        async def step():  # in the loop from its beginning, which then knows of it
            return await anext(self._thing, Blocked)
        item = self._loop.run_until_complete(step())
        if item is Blocked:
            raise StopIteration
        return item

    def __enter__(self):
        return self._wrap(self._loop.run_until_complete(self._thing.__aenter__()))

    def __exit__(self, *error):
        return self._loop.run_until_complete(self._thing.__aexit__(*error))

    def close(self):
        self._loop.run_until_complete(self._thing.aclose())


def comes_true(condition):
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


class Case(unittest.TestCase):
    """`connect` makes a client, which is closed at the end."""

    def setUp(self):
        self.client = self.connect()

    def connect(self, socket=None, **options):
        if "url" not in options:
            options["socket"] = socket or sbxd.socket
        client = sbx.Client(**options)
        self.addCleanup(client.close)
        return client


class AsAsync:
    """The same cases with AsyncClient."""

    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.addCleanup(lambda: self.loop.run_until_complete(self.loop.shutdown_asyncgens()))
        super().setUp()

    def connect(self, socket=None, **options):
        if "url" not in options:
            options["socket"] = socket or sbxd.socket
        client = Blocked(sbx.AsyncClient(**options), self.loop)
        self.addCleanup(client.close)
        return client


class Runs(Case):
    def test_a_command_and_what_came_of_it(self):
        result = self.client.execute("echo out; echo err >&2; exit 3", task_id="task", labels={"team": "a"},
                                     limits={"memory_bytes": 100_000_000})
        self.assertEqual((result.status, result.outcome, result.exit_code, result.signal), ("error", "exited", 3, None))
        self.assertEqual((result.stdout, result.stderr), ("out\n", "err\n"))
        self.assertEqual((result.task_id, result.labels), ("task", {"team": "a"}))
        self.assertGreater(result.usage.memory_peak_bytes, 0)
        self.assertEqual(result.raw["limits"]["memory_bytes"], 100_000_000)
        with self.assertRaisesRegex(sbx.RunFailed, "exited with status 3\nerr"):
            result.check()
        self.assertEqual(self.client.execute(["echo", "a b"]).check().stdout, "a b\n")

    def test_what_a_program_is_given(self):
        self.assertEqual(self.client.execute(["cat"], stdin="ä").stdout, "ä")
        self.assertEqual(self.client.execute(["cat"], stdin=b"\xff\0").out.content, b"\xff\0")
        self.assertEqual(self.client.execute(["wc", "-c"], stdin="x" * 3_000_000).stdout, "3000000\n")
        self.assertEqual(self.client.execute("pwd; echo $NAME", cwd="/tmp", env={"NAME": "value"}).stdout, "/tmp\nvalue\n")

    def test_limits_end_programs_and_say_so(self):
        late = self.client.execute("sleep 1000", timeout=0.2)
        self.assertEqual((late.status, late.outcome), ("timeout", "timed_out"))
        self.assertEqual((late.limits_hit[0].limit, late.limits_hit[0].value), ("wall_ms", 200))
        self.assertEqual(self.client.execute("yes", limits={"output_bytes": 10_000}).outcome, "output_limit")
        refused = self.client.execute("true", limits={"memory_bytes": 1 << 50})
        self.assertEqual((refused.outcome, refused.started_at), ("rejected", None))

    def test_more_output_than_a_result_has(self):
        result = self.client.execute("seq 1 2000000", limits={"output_bytes": 100_000_000}).check()
        whole = "".join(f"{i}\n" for i in range(1, 2_000_001)).encode()
        self.assertEqual(result.out.content, whole)
        self.assertEqual(b"".join(self.client.output(result.run_id)), whole)
        self.assertIs(self.client.run(result.run_id, output=False).out.elsewhere, False)

    def test_code_of_a_language(self):
        needs_image(self)
        code = "import sys, other\nprint(other.name, sys.argv[1:], sys.stdin.read())"
        result = self.client.run_code("python", code, files={"other.py": "name = 'other'", "data": b"\xff"}, arguments=["a", "b"],
                                      stdin="in", limits={"cpus": 0.5})
        self.assertEqual(result.check().stdout, "other ['a', 'b'] in\n")
        self.assertEqual(self.client.run_code("python", "print(", action="check").exit_code, 1)
        tests = self.client.run_code("python", "def test_a(): pass\ndef test_b(): assert 0\n", action="test")
        self.assertEqual((tests.tests.passed, tests.tests.failed), (1, 1))

    def test_what_a_run_changes_in_its_project(self):
        def run(script, **more):
            return self.client.execute(script, project_id="changes", limits={"disk_bytes": 16 << 20}, **more).check()
        self.assertEqual((run("echo 1 >a").transaction, run("true").changes), (None, None))
        dry = run("rm a", workspace_mode="ephemeral", show_changes=True)
        self.assertEqual((dry.transaction, dry.changes.deleted, dry.changes.truncated), (None, 1, False))
        begun = run("printf 2 >$(printf '\\377')", workspace_mode="transaction")
        self.assertEqual([(one.path, one.change, one.content, one.before) for one in begun.changes.entries],
                         [(b"agent_workspace/\xff", "added", True, None)])
        self.assertEqual(begun.changes.entries[0].after["bytes"], 1)
        more = run("echo 3 >a", transaction=begun.transaction)
        self.assertEqual((more.transaction, more.changes.added, more.changes.changed), (begun.transaction, 1, 1))
        self.assertEqual(run("cat a").stdout, "1\n")

    def test_files_of_a_project(self):
        project, place = "py-files", Path(self.enterContext(tempfile.TemporaryDirectory()))
        told: list[int] = []
        content = random.randbytes(700_000)
        (place / "big.bin").write_bytes(content)
        with (place / "big.bin").open("rb") as file:
            big = self.client.upload(project, "big.bin", file, folder="outputs", progress=told.append)
        self.assertEqual((big.path, big.size, big.created, told[-1]), ("outputs/big.bin", 700_000, True, 700_000))
        self.assertEqual(big.sha256, hashlib.sha256(content).hexdigest())
        self.assertTrue(self.client.upload(project, "big.bin", content, folder="outputs").deduplicated)
        self.assertEqual(self.client.upload(project, "big.bin", "text", folder="outputs").path, "outputs/big (1).bin")
        with self.assertRaises(sbx.Conflict):
            self.client.upload(project, "big.bin", "text", folder="outputs", taken="refuse")
        told.clear()
        self.assertEqual(self.client.download_project_file(project, big.id, place / "back", progress=told.append), 700_000)
        self.assertEqual(((place / "back").read_bytes(), told[-1]), (content, 700_000))
        self.assertEqual(self.client.read_project_file(project, big.id, start=10, size=20), content[10:30])
        edited = self.client.write_project_file(project, big.id, "small", if_sha256=big.sha256)
        self.assertEqual((edited.id, edited.created), (big.id, False))
        with self.assertRaises(sbx.PreconditionFailed):
            self.client.write_project_file(project, big.id, "other", if_sha256=big.sha256)
        with self.assertRaises(sbx.PreconditionFailed):
            self.client.write_project_file(project, "outputs/big.bin", "other", if_new=True)
        self.assertEqual(self.client.move_project_file(project, big.id, "outputs/d/é").stored.id, big.id)
        self.assertEqual(self.client.make_project_folder(project, "outputs/e/f").type, "directory")
        self.assertEqual([one.path for one in self.client.project_files(project, "outputs")],
                         ["outputs/big (1).bin", "outputs/d", "outputs/e"])
        self.assertEqual(len(self.client.project_files(project, "outputs", recursive=True)), 5)
        self.assertGreater(self.client.download_project_folder(project, place / "all.zip", "outputs", archive="zip"), 100)
        with (place / "all.zip").open("rb") as file:
            extracted = self.client.extract_archive(project, "copy", file)
        self.assertEqual((extracted.folder, extracted.refused_count), ("project_files/copy", 0))
        self.assertEqual(self.client.read_project_file(project, "project_files/copy/outputs/d/é"), b"small")
        with self.assertRaises(sbx.Unprocessable):
            self.client.extract_archive(project, "copy", b"no archive")
        self.client.execute(["sh", "-c", "echo >/workspace/outputs/$(printf '\\377')"], project_id=project)
        odd = os.fsdecode(b"outputs/\xff")
        self.assertIsNone(self.client.project_file(project, odd).stored)
        self.assertEqual(self.client.check_project_files(project, adopt=True).adopted, (odd,))
        self.client.delete_project_file(project, odd)
        with self.assertRaises(sbx.NotFound):
            self.client.project_file(project, odd)
        self.client.delete_project(project)

    def test_projects_their_transactions_and_snapshots(self):
        project = f"py-{type(self).__name__.lower()}"
        made = self.client.create_project(project, disk_bytes=16 << 20)
        self.assertEqual((made.name, made.disk_bytes, made.used_inodes), (f"sbx-project-{project}", 16 << 20, 0))
        with self.assertRaises(sbx.Conflict):
            self.client.create_project(project)

        def run(script, **more):
            return self.client.execute(script, project_id=project, **more).check()
        run("echo 1 >f")
        self.assertEqual(self.client.take_snapshot(project, "one").name, "one")
        first, second = (run(f"echo {text} >f", workspace_mode="transaction").transaction for text in "23")
        self.assertEqual([one.id for one in self.client.transactions(project)], [first, second])
        self.assertEqual(self.client.changes(project, first).changed, 1)
        self.assertIn(b"-1\n+2\n", self.client.patch(project, first))
        self.client.commit(project, first)
        with self.assertRaises(sbx.Conflict) as refused:
            self.client.commit(project, second)
        self.assertEqual(refused.exception.body["conflicts"], ["agent_workspace/f"])
        self.client.discard(project, second)
        self.assertEqual(run("cat f").stdout, "2\n")
        self.assertEqual([one.name for one in self.client.snapshots(project)], ["one"])
        self.client.restore_snapshot(project, "one")
        self.client.remove_snapshot(project, "one")
        self.assertEqual(run("cat f").stdout, "1\n")
        self.assertEqual(self.client.limit_project(project, disk_bytes=32 << 20).disk_bytes, 32 << 20)
        with self.client.get_sandbox(project_id=project) as sandbox:
            self.assertEqual(self.client.project(project).sandboxes, (sandbox.id,))
            self.assertIsNone(sandbox.info.transaction)
            with self.assertRaises(sbx.Conflict):
                self.client.delete_project(project)
        with self.client.get_sandbox(project_id=project, workspace_mode="transaction") as sandbox:
            sandbox.execute("echo 4 >f").check()
            third = sandbox.info.transaction
            self.assertEqual(self.client.changes(project, third).changed, 1)
        self.assertEqual(run("cat f").stdout, "1\n")
        with self.client.get_sandbox(project_id=project, transaction=third) as sandbox:
            self.assertEqual(sandbox.execute("cat f").stdout, "4\n")
        self.client.discard(project, third)
        other = self.client.rename_project(project, project + "-other", force=True).project_id
        self.assertIn(other, [one.project_id for one in self.client.projects(page=1)])
        self.client.delete_project(other, force=True)
        with self.assertRaises(sbx.NotFound):
            self.client.project(other)

    def test_a_run_that_nobody_waits_for(self):
        begun = self.client.start("echo begun; sleep 1000")
        self.assertFalse(begun.ended)
        self.assertTrue(comes_true(lambda: self.client.run(begun.run_id).status == "running"))
        self.assertTrue(comes_true(lambda: b"".join(self.client.output(begun.run_id)) == b"begun\n"))
        self.client.cancel(begun.run_id)
        ended = self.client.wait(begun.run_id)
        self.assertEqual((ended.outcome, ended.stdout), ("cancelled", "begun\n"))
        with self.assertRaisesRegex(sbx.Conflict, "409 Conflict: the run has ended"):
            self.client.cancel(begun.run_id)

    def test_runs_are_listed_over_pages(self):
        task = f"pages-{type(self).__name__}"
        ids = [self.client.execute(f"exit {i % 2}", task_id=task).run_id for i in range(5)]
        found = [run.run_id for run in self.client.runs(task_id=task, page=2)]
        self.assertEqual(found, ids[::-1])
        self.assertEqual(len(list(self.client.runs(task_id=task, status="error"))), 2)
        begun = datetime.now(timezone.utc)
        labelled = self.client.execute("true", task_id=task, labels={"a": "1", "b": "2"}).run_id
        self.assertEqual([run.run_id for run in self.client.runs(task_id=task, label=["a=1", "b"])], [labelled])
        self.assertEqual([run.run_id for run in self.client.runs(task_id=task, label="a=2")], [])
        self.assertEqual([run.run_id for run in self.client.runs(task_id=task, since=begun)], [labelled])
        self.assertEqual([run.run_id for run in self.client.runs(task_id=task, until=begun)], ids[::-1])
        ids.append(labelled)
        self.assertEqual(next(iter(self.client.runs(task_id=task, page=1))).run_id, ids[-1])

    def test_refusals_are_errors(self):
        with self.assertRaises(sbx.BadRequest) as raised:
            self.client.execute("true", limits={"memory": 1})
        self.assertEqual((raised.exception.status, raised.exception.title), (400, "Bad Request"))
        self.assertIn("'limits.memory' is not known", raised.exception.detail)
        with self.assertRaisesRegex(sbx.NotFound, "there is no run 'nothing'"):
            self.client.run("nothing")
        with self.assertRaisesRegex(sbx.Problem, "413"):
            self.client.execute("true", stdin="x" * 20_000_000)
        with self.assertRaisesRegex(sbx.ConnectionFailed, "no sbxd answers at '/nowhere'"):
            self.connect("/nowhere").execute("true")


class Sandboxes(Case):
    def test_a_task_has_one_sandbox_which_goes_at_the_end(self):
        task = f"one-{type(self).__name__}"
        with self.client.get_sandbox(task_id=task, env={"A": "1"}, labels={"team": "x"}) as sandbox:
            self.assertEqual((sandbox.info.state, sandbox.info.task_id), ("ready", task))
            self.assertEqual(sandbox.execute("echo $A >/tmp/file; echo $B", env={"B": "2"}).check().stdout, "2\n")
            with self.client.get_sandbox(task_id=task, env={"A": "1"}, labels={"team": "x"}, keep=True) as again:
                self.assertEqual(again.id, sandbox.id)
                self.assertEqual(again.execute(["cat", "/tmp/file"]).check().stdout, "1\n")
            with self.assertRaisesRegex(sbx.Conflict, "made in another way"):
                with self.client.get_sandbox(task_id=task):
                    self.fail("it was made")
            with self.client.find_sandbox(task_id=task) as found:
                self.assertEqual(found.id, sandbox.id)
            self.assertEqual([one.id for one in self.client.sandboxes(task_id=task, label="team=x")], [sandbox.id])
            self.assertEqual(len(list(self.client.runs(sandbox_id=sandbox.id))), 2)
        with self.assertRaises(sbx.NotFound):
            with self.client.find_sandbox(task_id=task):
                self.fail("it is there")
        with self.client.find_sandbox(sandbox.id) as gone:
            self.assertEqual(gone.info.state, "destroyed")
        with self.assertRaisesRegex(sbx.Conflict, "the sandbox is destroyed"):
            sandbox.execute("true")

    def test_all_pages_of_a_list(self):
        def make():
            return self.client.get_sandbox(labels={"of": "pages"})
        with make() as one, make() as two, make() as three:
            found = [sandbox.id for sandbox in self.client.sandboxes(label="of=pages", page=2)]
            self.assertEqual(found, [one.id, two.id, three.id])

    def test_an_error_in_the_block_destroys_it_and_is_told(self):
        with self.assertRaises(ZeroDivisionError):
            with self.client.get_sandbox() as sandbox:
                raise ZeroDivisionError
        self.assertNotIn(sandbox.id, [one.id for one in self.client.sandboxes()])

    def test_a_sandbox_that_cannot_be_made(self):
        with self.assertRaisesRegex(sbx.Unprocessable, "no-such-image"):
            with self.client.get_sandbox(image="no-such-image"):
                self.fail("it was made")

    def test_binds_and_a_configuration_are_asked_for(self):
        for wish, answer in (({"binds": [{"host": "/etc", "inside": "/data"}]}, "bind_roots"),
                             ({"project_id": "p", "configuration": "missing"}, "no configuration 'missing'")):
            with self.assertRaisesRegex(sbx.Unprocessable, answer):
                with self.client.get_sandbox(**wish):
                    self.fail("it was made")

    def test_one_that_is_gone_already_is_no_error(self):
        with self.client.get_sandbox(idle=0.2) as sandbox:
            self.assertTrue(comes_true(lambda: sandbox.id not in [one.id for one in self.client.sandboxes()]))

    def test_pause_resume_stats_and_stop(self):
        with self.client.get_sandbox() as sandbox:
            self.assertEqual(sandbox.pause().state, "paused")
            with self.assertRaisesRegex(sbx.Conflict, "the sandbox is paused"):
                sandbox.execute("true")
            self.assertEqual(sandbox.resume().state, "ready")
            sandbox.execute("true").check()
            stats = sandbox.stats()
            self.assertGreater(stats.usage.memory_peak_bytes, 0)
            self.assertGreaterEqual(stats.current.pids, 1)
            self.assertEqual(sandbox.refresh().state, "ready")
            run = sandbox.start("trap 'exit 6' TERM; touch /tmp/up; while :; do sleep 0.01; done")
            sandbox.execute("until [ -e /tmp/up ]; do sleep 0.01; done").check()
            self.assertEqual(sandbox.stop().state, "destroyed")
            self.assertEqual(self.client.wait(run.run_id).exit_code, 6)

    def test_stats_again_and_again(self):
        with self.client.get_sandbox() as sandbox:
            seen = []
            for stats in sandbox.watch_stats(every=0.1):
                seen.append(stats)
                if len(seen) == 3:
                    sandbox.destroy()
            self.assertGreaterEqual(len(seen), 3)
            self.assertGreaterEqual(seen[-1].usage.cpu_ms, seen[0].usage.cpu_ms)

    def test_a_command_that_dies_leaves_the_others_alone(self):
        with self.client.get_sandbox() as sandbox:
            self.assertEqual(sandbox.execute("sleep 1000", timeout=0.2).outcome, "timed_out")
            self.assertEqual(sandbox.execute("kill -9 $$").outcome, "signaled")
            self.assertEqual(sandbox.execute("echo fine").check().stdout, "fine\n")

    def test_reset(self):
        with self.client.get_sandbox() as sandbox:
            sandbox.execute("touch /tmp/a ~/b /workspace/agent_workspace/c; sleep 1000 & echo $! >/dev/shm/d").check()
            self.assertEqual(sandbox.reset().state, "ready")
            self.assertEqual(sandbox.execute("find /tmp ~ /workspace/agent_workspace /dev/shm -type f; pgrep sleep").stdout, "")


class Streams(Case):
    def test_events_come_as_they_happen(self):
        with self.client.stream("echo one; read line </tmp/none; echo two >&2; printf '\\377'; exit 5") as events:
            found = list(events)
            self.assertEqual(events.exit, found[-1])
            self.assertEqual(events.result().exit_code, 5)
        self.assertEqual((found[-1].outcome, found[-1].exit_code, found[-1].status), ("exited", 5, "error"))
        self.assertEqual(b"".join(event.content for event in found if event.type == "stdout"), b"one\n\xff")
        self.assertIn(b"two\n", b"".join(event.content for event in found if event.type == "stderr"))
        with self.client.events(events.run_id, after=found[0].id) as rest:
            self.assertEqual([(event.type, event.id) for event in rest], [(event.type, event.id) for event in found[1:]])

    def test_a_line_is_there_before_the_end(self):
        with self.client.get_sandbox() as sandbox, sandbox.stream("echo one; until [ -e /tmp/go ]; do sleep 0.01; done; echo two") as events:
            self.assertEqual(next(events).name, "run")
            self.assertEqual(next(events).text, "one\n")
            sandbox.execute("touch /tmp/go").check()
            self.assertEqual([event.type for event in events], ["stdout", "exit"])

    def test_who_leaves_cancels(self):
        with self.client.stream("echo one; sleep 1000") as events:
            next(events)
        self.assertEqual(self.client.wait(events.run_id).outcome, "cancelled")
        with self.client.stream("sleep 1000") as events:
            pass
        self.assertEqual(self.client.wait(events.run_id).outcome, "cancelled")

    def test_much_output_over_a_connection_that_breaks_again_and_again(self):
        with Proxy(sbxd.socket, cut_after=400_000, cuts=6) as proxy:
            with self.connect(proxy.path).stream("seq 1 400000") as events:
                content = b"".join(event.content for event in events if event.type == "stdout")
        self.assertEqual(content, "".join(f"{i}\n" for i in range(1, 400_001)).encode())
        self.assertEqual(proxy.cut, 6)

    def test_a_server_that_dies(self):
        with RunningSbxd() as other:
            client = self.connect(other.socket, retry_for=0.5)
            with client.stream("echo one; sleep 1000") as events:
                self.assertEqual([next(events).type, next(events).type], ["stage", "stdout"])
                other.end(signal.SIGKILL)
                with self.assertRaises(sbx.ConnectionFailed):
                    next(events)
            other.start()  # and sweeps


    def test_runs_outlive_their_server(self):
        with RunningSbxd() as other:
            client = self.connect(other.socket)
            with client.stream("echo one; exit 3") as events:
                list(events)
            other.end()
            other.start()
            self.assertEqual((client.run(events.run_id).stdout, client.run(events.run_id).exit_code), ("one\n", 3))
            with client.events(events.run_id) as again:
                self.assertEqual([event.type for event in again], ["stage", "stdout", "exit"])


class Connections(Case):
    def test_what_is_sent_twice_is_done_once(self):
        # The answer is cut off: the client asks again, with the same key.
        with Proxy(sbxd.socket, cut_after=0, cuts=2) as proxy:
            client = self.connect(proxy.path)
            task = f"twice-{type(self).__name__}"
            begun = client.start("true", task_id=task)
            self.assertEqual(proxy.cut, 2)
            self.assertEqual([run.run_id for run in client.runs(task_id=task)], [begun.run_id])
            self.assertEqual(client.wait(begun.run_id).exit_code, 0)

    def test_back_pressure_is_waited_for(self):
        with RunningSbxd({"max_sandboxes": 1}) as other:
            client = self.connect(other.socket)
            first = sbx.Client(other.socket)
            sandbox = first.get_sandbox()
            with self.assertRaises(sbx.TooManyRequests) as raised:
                with self.connect(other.socket, retry_for=0).get_sandbox():
                    pass
            self.assertEqual(raised.exception.retry_after, 1.0)
            leaves = threading.Timer(0.3, sandbox.destroy)
            leaves.start()
            with client.get_sandbox() as second:
                second.execute("true").check()
            leaves.join()
            first.close()

    def test_requests_share_connections(self):
        with Proxy(sbxd.socket) as proxy:
            client = self.connect(proxy.path)
            for _ in range(5):
                client.execute("true").check()
            self.assertEqual(proxy.connections, 1)

    def test_over_tls_with_a_token(self):
        def free_port():
            with socket.create_server(("127.0.0.1", 0)) as there:
                return there.getsockname()[1]

        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=sbx", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}/key", "-out",
                            f"{place}/certificate"], check=True, capture_output=True)
            os.chmod(f"{place}/key", 0o600)
            trusted = ssl.create_default_context(cafile=f"{place}/certificate")
            ports = {"http": free_port(), "https": free_port()}
            config = {"listen": [{"address": "127.0.0.1", "port": ports["http"]},
                                 {"address": "127.0.0.1", "port": ports["https"],
                                  "tls": {"certificate": f"{place}/certificate", "key": f"{place}/key"}}],
                      "tokens": f"{place}/tokens.yaml"}
            with RunningSbxd(config, start=False) as server:
                made = subprocess.run([PROGRAMS / "sbxctl", "token", "create", "ci", "--project", "p", "--expires", "1d"], check=True,
                                      capture_output=True, text=True, env=server.environment)
                token = made.stdout.splitlines()[0]
                server.start()
                url = f"https://127.0.0.1:{ports['https']}"
                client = self.connect(url=url, token=token, tls=trusted)
                run = client.execute("seq 1 100000", project_id="p").check()
                self.assertEqual(run.stdout.count("\n"), 100_000)
                with client.get_sandbox(task_id="t", project_id="p") as sandbox:
                    sandbox.write_file("file", b"text")
                    self.assertEqual(sandbox.execute("cat file").check().stdout, "text")
                    with sandbox.stream("echo one; echo two") as events:
                        self.assertEqual("".join(event.text for event in events if event.type == "stdout"), "one\ntwo\n")
                with self.assertRaises(sbx.Forbidden):
                    client.execute("true", project_id="q")
                plain = self.connect(url=f"http://127.0.0.1:{ports['http']}", token=token)
                self.assertEqual(plain.execute("echo plain", project_id="p").check().stdout, "plain\n")
                with self.assertRaises(sbx.Unauthorized):
                    self.connect(url=url, token=token + "x", tls=trusted).execute("true", project_id="p")
                with self.assertRaisesRegex(sbx.ConnectionFailed, "(?i)certificate"):
                    self.connect(url=url, token=token).execute("true", project_id="p")

    def test_over_tcp_on_this_machine(self):
        with Proxy(sbxd.socket, tcp=True) as proxy:
            client = self.connect(url=f"http://127.0.0.1:{proxy.port}", token="secret")
            self.assertEqual(client.execute("echo hello").check().stdout, "hello\n")
            self.assertIn(b"\r\nAuthorization: Bearer secret\r\n", proxy.asked)
        with self.assertRaisesRegex(sbx.ConnectionFailed, "no sbxd answers"):
            self.connect(url=f"http://127.0.0.1:{proxy.port}").execute("true")

    def test_a_server_that_says_nothing(self):
        with Proxy(None) as proxy:
            with self.assertRaises(sbx.TimedOut):
                self.connect(proxy.path, timeout=0.2).run("x")


class Files(Case):
    def test_files_as_its_programs_see_them(self):
        with self.client.get_sandbox() as sandbox:
            sandbox.make_directory("/tmp/place")
            sandbox.write_file("/tmp/place/a b", "ä\n")
            sandbox.write_file("/tmp/place/c", b"\xff\0")
            self.assertEqual(sandbox.execute(["cat", "/tmp/place/a b"]).check().stdout, "ä\n")
            self.assertEqual(sandbox.read_text("/tmp/place/a b"), "ä\n")
            self.assertEqual(sandbox.read_file("/tmp/place/c"), b"\xff\0")
            self.assertEqual([(one.name, one.type, one.size) for one in sandbox.list_files("/tmp/place")],
                             [("a b", "file", 3), ("c", "file", 2)])
            self.assertEqual(sandbox.stat("/tmp/place").type, "directory")
            sandbox.move_file("/tmp/place/c", "/tmp/place/d")
            with self.assertRaises(sbx.NotFound):
                sandbox.read_file("/tmp/place/c")
            sandbox.delete_file("/tmp/place/d")
            with self.assertRaises(sbx.Conflict):
                sandbox.delete_file("/tmp/place")
            sandbox.delete_file("/tmp/place", recursive=True)
            with self.assertRaises(sbx.NotFound):
                sandbox.stat("/tmp/place")
            with self.assertRaises(sbx.Forbidden):
                sandbox.write_file("/usr/bin/x", "")

    def test_only_over_what_was_seen_or_over_nothing(self):
        with self.client.get_sandbox() as sandbox:
            seen = sandbox.write_file("/tmp/once", "one", if_new=True).sha256
            self.assertEqual(seen, hashlib.sha256(b"one").hexdigest())
            with self.assertRaisesRegex(sbx.PreconditionFailed, "is there already"):
                sandbox.write_file("/tmp/once", "two", if_new=True)
            self.assertEqual(sandbox.stat("/tmp/once", sha256=True).sha256, seen)
            sandbox.write_file("/tmp/once", "two", if_sha256=seen)
            with self.assertRaisesRegex(sbx.PreconditionFailed, "another content"):
                sandbox.write_file("/tmp/once", iter([b"three"]), if_sha256=seen)
            self.assertEqual(sandbox.read_text("/tmp/once"), "two")

    def test_names_modes_and_links(self):
        with self.client.get_sandbox() as sandbox:
            sandbox.write_file("/tmp/a/b/c", "", mode=0o750, parents=True)
            self.assertEqual(sandbox.stat("/tmp/a/b/c").mode, 0o750)
            name = os.fsdecode(b"/tmp/a/\xff")
            sandbox.write_file(name, "x")
            sandbox.execute("ln -s b/c /tmp/a/l").check()
            self.assertEqual([(one.name, one.type, one.target) for one in sandbox.list_files("/tmp/a")],
                             [("b", "directory", None), ("l", "link", "b/c"), (os.path.basename(name), "file", None)])
            self.assertEqual(sandbox.read_file(name), b"x")
            self.assertEqual(sandbox.stat("/tmp/a/l", follow=True).type, "file")
            sandbox.execute("cd /tmp/a/b; for i in $(seq 1 2500); do : >$i; done").check()
            self.assertEqual(len(sandbox.list_files("/tmp/a/b")), 2501)

    def test_large_files_are_streamed(self):
        content = os.urandom(1 << 20) * 40
        with self.client.get_sandbox() as sandbox:
            sandbox.write_file("/tmp/a", io.BytesIO(content))
            sandbox.write_file("/tmp/b", (content[i:i + 100_000] for i in range(0, len(content), 100_000)))
            sandbox.execute("cmp /tmp/a /tmp/b").check()
            back = io.BytesIO()
            self.assertEqual(sandbox.download("/tmp/a", back), len(content))
            self.assertEqual(back.getvalue(), content)
            with tempfile.NamedTemporaryFile() as file:
                sandbox.download("/tmp/b", file.name)
                self.assertEqual(Path(file.name).read_bytes(), content)


class Languages(Case):
    def test_code_and_tests_in_a_living_sandbox(self):
        needs_image(self)
        with self.client.get_sandbox(image="python-3.11") as sandbox:
            sandbox.write_file("there.py", "import sys\nprint(sys.argv[1], open('data').read())")
            sandbox.write_file("data", "text")
            self.assertEqual(sandbox.run_code("python", "print(open('data').read())").check().stdout, "text\n")
            self.assertEqual(sandbox.run_code("python", path="there.py", arguments=["a"], timeout=60).check().stdout, "a text\n")
            with sandbox.stream_code("python", "import sys; sys.exit(4)") as events:
                self.assertEqual([event.type for event in events], ["stage", "exit"])
                self.assertEqual(events.exit.exit_code, 4)
            sandbox.write_file("t/test_a.py", "def test_a(): pass\ndef test_b(): assert 0\n", parents=True)
            tests = sandbox.run_tests("t").tests
            self.assertEqual((tests.passed, tests.failed), (1, 1))


class Sessions(Case):
    def test_a_shell_that_stays(self):
        with self.client.get_sandbox() as sandbox:
            sandbox.execute("cd /tmp; A=1; f() { echo f$A; }", session="main").check()
            self.assertEqual(sandbox.execute("pwd; f; A=2", session="main").check().stdout, "/tmp\nf1\n")
            self.assertEqual(sandbox.execute("echo $A", session="other").check().stdout, "\n")
            self.assertEqual(sandbox.execute("sleep 1000", session="main", timeout=0.2).outcome, "timed_out")
            self.assertEqual(sandbox.execute("f", session="main").check().stdout, "f2\n")


class AsyncRuns(AsAsync, Runs):
    pass


class AsyncSandboxes(AsAsync, Sandboxes):
    pass


class AsyncStreams(AsAsync, Streams):
    pass


class AsyncConnections(AsAsync, Connections):
    pass


class AsyncFiles(AsAsync, Files):
    pass


class AsyncLanguages(AsAsync, Languages):
    pass


class AsyncSessions(AsAsync, Sessions):
    pass


class Threads(unittest.TestCase):
    def test_threads_share_a_client(self):
        with sbx.Client(sbxd.socket) as client, ThreadPoolExecutor(12) as threads:
            results = list(threads.map(lambda i: client.execute(f"echo {i}").check().stdout, range(60)))
        self.assertEqual(results, [f"{i}\n" for i in range(60)])

    def test_who_is_interrupted_cancels(self):
        # One that streams knows its run when the first event is there.
        for call in ("print(flush=True); client.execute('sleep 1000', task_id='interrupted')",
                     "for event in client.stream('echo; sleep 1000', task_id='interrupted'): print(flush=True)"):
            # Who is started in the background of a shell has SIGINT ignored.
            program = f"import sbx, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nclient = sbx.Client(sys.argv[1])\n{call}"
            with sbx.Client(sbxd.socket) as client, subprocess.Popen(
                    [sys.executable, "-c", program, sbxd.socket], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                process.stdout.readline()
                running = []
                self.assertTrue(comes_true(lambda: running.extend(client.runs(task_id="interrupted", status="running")) or running))
                run = running[0]
                process.send_signal(signal.SIGINT)
                self.assertEqual(client.wait(run.run_id).outcome, "cancelled")


class Pages(unittest.TestCase):
    def test_the_examples_of_our_pages_run(self):
        needs_image(self)
        root = Path(__file__).resolve().parents[2]
        blocks = [block for page in ("tools/python/README.md", "docs/api.md")
                  for block in re.findall(r"^```python\n(.*?)^```$", (root / page).read_text(encoding="utf-8"), re.M | re.S)]
        self.assertEqual(len(blocks), 3)
        for block in blocks:
            if block.startswith("async "):
                block = "import asyncio, sbx\nasync def main():\n" + textwrap.indent(block, "    ") + "    print(result.stdout)\nasyncio.run(main())\n"
            done = subprocess.run([sys.executable, "-W", "error", "-c", block], env=sbxd.environment, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"\A42\n\nexited 0 pip .*\n \d+\n(stdout [123]\n)+\Z|\Ahello\n\n?\Z")


class AtOnce(unittest.IsolatedAsyncioTestCase):
    async def test_many_at_once_over_one_loop(self):
        async with sbx.AsyncClient(sbxd.socket) as client, client.get_sandbox() as sandbox:
            results = await asyncio.gather(*(sandbox.execute(f"echo {i}") for i in range(20)))
            self.assertEqual([result.stdout for result in results], [f"{i}\n" for i in range(20)])

    async def test_who_is_cancelled_cancels(self):
        async with sbx.AsyncClient(sbxd.socket) as client:
            task = asyncio.create_task(client.execute("sleep 1000", task_id="cancelled"))
            while not [run async for run in client.runs(task_id="cancelled", status="running")]:
                await asyncio.sleep(0.02)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            while not [run async for run in client.runs(task_id="cancelled", outcome="cancelled")]:
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
