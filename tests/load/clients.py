"""Threads of clients, and what processes take."""

import threading
from pathlib import Path


def pss_of(pids):
    """Memory in bytes, what is shared divided by those who share it."""
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def at_once(count, work, items):
    """Each item by one of `count` threads; what went wrong."""
    lock, todo, problems = threading.Lock(), iter(items), []

    def serve():
        while True:
            with lock:
                item = next(todo, None)
            if item is None:
                return
            try:
                work(item)
            except Exception as error:  # pylint: disable=broad-except  # told at the end
                with lock:
                    problems.append(f"{item}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=serve) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems
