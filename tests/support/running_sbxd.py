#!/usr/bin/python3
"""A running sbxd of a test's own: in its own directories, with the images that it needs.

usage: running_sbxd.py [--image NAME]… -- COMMAND…
runs COMMAND with SBX_SOCKET and the variables of those places set. Exit status: that of COMMAND, or 1 when sbxd did not end well;
77: an image cannot be built here, or who runs it is not root.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("SBX_TEST_BIN", ROOT / "build/bin")).resolve()
IMAGES = Path(os.environ.get("SBX_CACHE_DIR", "/var/cache/sbx")) / "images"


class CannotBuild(Exception):
    """There is no such image here, and no mirror to build it from."""


class RunningSbxd:
    def __init__(self, config: dict | None = None, images: tuple[str, ...] = (), start: bool = True) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="sbx-daemon.", dir="/var/tmp"))
        self.socket = str(self.place / "run/sbxd.sock")
        self.images = images
        self.process: subprocess.Popen | None = None
        self._config = self.place / "config.yaml"
        # PLACE in it is its own directory.
        self._config.write_text(json.dumps(config or {}).replace("PLACE", str(self.place)), encoding="utf-8")
        self.environment = {**os.environ, "SBX_STATE_DIR": str(self.place / "state"), "SBX_RUN_DIR": str(self.place / "run"),
                            "SBX_LOG": str(self.place / "monitor.jsonl"), "SBX_SOCKET": self.socket, "SBX_CONFIG": str(self._config)}
        try:
            for image in images:
                self._bring(image)
            if start:
                self.start()
        except BaseException:
            self.remove()
            raise

    def _bring(self, image: str) -> None:
        status = subprocess.run([ROOT / "rootfs/build", image], check=False, stdout=sys.stderr).returncode
        if status == 3:
            raise CannotBuild(image)
        subprocess.run([PROGRAMS / "sbxctl", "images", "import", IMAGES / f"{image}.tar.zst"], check=True, env=self.environment,
                       stdout=sys.stderr)

    def start(self) -> None:
        said = open(self.place / "sbxd.err", "ab")
        with said:
            self.process = subprocess.Popen([PROGRAMS / "sbxd"], env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        for _ in range(600):
            if self.is_ready():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"sbxd is not ready: {self.said()}")

    def is_ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as asks:
                asks.settimeout(5)
                asks.connect(self.socket)
                asks.sendall(b"GET /v1/health/ready HTTP/1.1\r\nHost: sbx\r\n\r\n")
                return asks.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def said(self) -> str:
        return (self.place / "sbxd.err").read_text(encoding="utf-8", errors="replace")

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(timeout=120)
        self.process = None
        return status

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None
        shutil.rmtree(self.place)

    def __enter__(self) -> "RunningSbxd":
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        try:
            status = self.end() if self.process is not None else 0
            if status != 0 and kind is None:
                raise RuntimeError(f"sbxd ended with {status}: {self.said()}")
        finally:
            self.remove()


def main(arguments: list[str]) -> int:
    images = []
    while arguments[:1] == ["--image"]:
        images.append(arguments[1])
        arguments = arguments[2:]
    if arguments[:1] != ["--"] or len(arguments) < 2:
        print(__doc__)
        return 2
    if os.geteuid() != 0:
        print("skipped: needs root")
        return 77
    try:
        with RunningSbxd(images=tuple(images)) as sbxd:
            return subprocess.run(arguments[1:], check=False, env=sbxd.environment).returncode
    except CannotBuild as image:
        print(f"skipped: the image {image} cannot be built here")
        return 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
