"""A running sbxd of a test's own, asked over its socket; and what is left of it on the host."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 60  # seconds, for what should take a moment


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("sbx", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class Hung(Exception):
    """No answer and no end of the connection: what must never be."""


class Refused(Exception):
    def __init__(self, status, problem):
        super().__init__(f"{status}: {problem}")
        self.status = status


def status_of(pid):
    """Name and parent of a process; None: it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else (name, int(fields[1]))


class Supervisor:
    def __init__(self, config="max_sandboxes: 600\n"):
        self.place = Path(tempfile.mkdtemp(prefix="sbx-load-", dir="/var/tmp"))
        self.socket = str(self.place / "run/sbxd.sock")
        self.config = self.place / "config.yaml"
        self.config.write_text(config)
        self.config.chmod(0o600)
        self.process = None
        self.start()

    def start(self):
        program = Path(os.environ["SBX_TEST_BIN"]) / "sbxd"
        with open(self.place / "said", "ab") as said:
            self.process = subprocess.Popen(
                [program, "--config", self.config, "--state-dir", self.place / "state",
                 "--run-dir", self.place / "run", "--log", self.place / "log"],
                stderr=said, stdin=subprocess.DEVNULL)
        self.wait_until(self.is_ready, "sbxd is ready")

    def said(self):
        return (self.place / "said").read_text()

    def is_ready(self):
        try:
            return self.ask("GET", "/v1/health/ready") is not None
        except (OSError, http.client.HTTPException, Refused):
            return False

    def wait_until(self, true, what):
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {PATIENCE} s: {what}\n{self.said()}")
            time.sleep(0.02)

    def starts_again(self):
        """Where it has ended: also by itself, when its API died too often."""
        if self.process.poll() is None:
            return False
        self.start()
        return True

    def running(self):
        return self.process.poll() is None

    # --- requests ---

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
        except TimeoutError as error:
            raise Hung(f"{method} {path}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, text.decode(errors="replace"))
        return json.loads(text) if text else {}

    def events(self, run):
        """Each event of a run, to its end."""
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", f"/v1/runs/{run}/events")
            answer = connection.getresponse()
            if answer.status != 200:
                raise Refused(answer.status, answer.read().decode(errors="replace"))
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except TimeoutError as error:
            raise Hung(f"events of {run}") from error
        finally:
            connection.close()

    # --- processes ---

    def processes(self):
        """Those below sbxd: {pid: name}; init is called sbx-init, as which the kernel may not know it."""
        parents, names = {}, {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (status := status_of(int(entry))):
                names[int(entry)], parents[int(entry)] = status

        def is_ours(pid):
            while pid > 1:
                if pid == self.process.pid:
                    return True
                pid = parents.get(pid, 0)
            return False

        def name_of(pid):
            is_init = names.get(parents[pid]) == "sbx-keeper" and not names[pid].startswith("sbx-")
            return "sbx-init" if is_init else names[pid]

        return {pid: name_of(pid) for pid in names if is_ours(pid)}

    def kill(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if pid == self.process.pid:
            self.process.wait()

    def stop(self):
        if self.running():
            self.process.terminate()
            self.process.wait(PATIENCE)

    def remove(self):
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    # --- what is left on the host ---

    def left_behind(self, names):
        """Of sandboxes with these names: their control groups; and what is mounted in our places."""
        left = []
        for directory, below, _ in os.walk("/sys/fs/cgroup"):
            left += [f"{directory}/{name}" for name in below if name in names]
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if str(self.place) in line:
                left.append(line)
        return left
