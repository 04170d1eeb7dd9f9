"""`python -m benchmarks.upload [MB]`: measure memory and the delay of other requests during a large upload.

Another field of the form is invalid, so that the upload starts no run.
"""

import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from jobs.authoring.file_parameters import MB
from tests.support.person import Person
from tests.support.raw_upload import END, RawUpload, head_of, text
from tests.support.stack import Stack
from tests.support.waiting import until

MEGABYTES = 300
PROBE_SECONDS = 0.005
IDLE_SECONDS = 3


class Watch(threading.Thread):
    """A thread that polls /healthz and records the longest wait and the peak memory of the web process."""

    def __init__(self, url: str, pid: int) -> None:
        super().__init__(daemon=True)
        self._url, self._pid = url, pid
        self._over = threading.Event()
        self.longest = 0.0
        self.before = self.peak = self._resident()

    def run(self) -> None:
        while not self._over.wait(PROBE_SECONDS):
            began = time.monotonic()
            with urllib.request.urlopen(self._url + "/healthz", timeout=60) as answer:
                answer.read()
            self.longest = max(self.longest, time.monotonic() - began)
            self.peak = max(self.peak, self._resident())

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _resident(self) -> int:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def web_process(stack: Stack) -> int:
    """Return the process id of the gunicorn worker."""
    master = next(pid for pid in children(stack.process.pid) if b"gunicorn" in command(pid))
    return until(lambda: children(master), "the web process")[0]


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def send(person: Person, megabytes: int) -> str:
    """Upload a file as fast as the server accepts it, and return the response."""
    begin, end, piece = text("most", "none") + head_of("texts", "large.txt"), END, b"soup and " * (MB // 9) + b"\n"
    with RawUpload(person, "/tasks/count_words", len(begin) + megabytes * len(piece) + len(end)) as upload:
        upload.send(begin)
        for _ in range(megabytes):
            upload.send(piece)
        upload.send(end)
        return upload.answer()


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder)) as stack:
        person = Person(stack.url, "ada@example.com")
        send(person, 1)  # warm-up: the first upload loads modules that stay in memory
        idle = Watch(stack.url, web_process(stack))
        idle.start()
        threading.Event().wait(IDLE_SECONDS)
        idle.stop()
        watch = Watch(stack.url, web_process(stack))
        watch.start()
        began = time.monotonic()
        answer = send(person, megabytes)
        seconds = time.monotonic() - began
        watch.stop()
    assert answer.startswith("HTTP/1.1 422"), answer[:300]
    assert "large.txt" in answer
    print(f"{megabytes} MB in {seconds:.1f} s: {megabytes / seconds:.0f} MB/s")
    print(f"memory of the web process: {watch.before / MB:.0f} MB before, {watch.peak / MB:.0f} MB at peak")
    print(f"longest wait for /healthz: {1000 * watch.longest:.0f} ms, without an upload {1000 * idle.longest:.0f} ms")


if __name__ == "__main__":
    main()
