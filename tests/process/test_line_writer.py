"""Lines are written in order, and no caller waits for a descriptor that takes nothing."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hookline.process.line_writer import LineWriter

SECONDS = 20.0


def lost(number: int) -> bytes:
    return b"lost %d\n" % number


def fault_of(writer: LineWriter) -> str | None:
    return writer.fault


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that takes one page."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_lines_are_written_in_the_order_of_the_calls(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, lost)
    lines = [b"line %d\n" % number for number in range(100)]
    for line in lines:
        writer.write(line)
    assert writer.flush(SECONDS)
    assert os.read(reading, 4096) == b"".join(lines)
    assert (writer.lost, writer.unreported, writer.fault) == (0, 0, None)


def test_what_a_full_disk_loses_is_counted_and_reported_once_there_is_room(tmp_path: Path) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(descriptor, lost)
    writer.write(b"one\n")
    writer.write(b"two\n")
    assert writer.flush(SECONDS)
    writer.write(b"three\n")
    assert writer.flush(SECONDS)
    assert (writer.lost, writer.unreported) == (3, 3)
    assert fault_of(writer) == "No space left on device"

    with (tmp_path / "log").open("wb") as room:
        os.dup2(room.fileno(), descriptor)
        writer.write(b"four\n")
        assert writer.flush(SECONDS)
        os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"lost 3\nfour\n"
    assert (writer.lost, writer.unreported) == (3, 0)
    assert fault_of(writer) is None


def test_a_line_that_a_full_disk_cut_does_not_run_into_the_next_one(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with (tmp_path / "log").open("wb") as file:
        writer = LineWriter(file.fileno(), lost)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (6, before[1]))
            writer.write(b"one\n")
            writer.write(b"two\n")
            writer.write(b"three\n")
            assert writer.flush(SECONDS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        assert (writer.lost, writer.unreported) == (2, 2)
        writer.write(b"four\n")
        assert writer.flush(SECONDS)
    assert (tmp_path / "log").read_bytes() == b"one\ntw\nlost 2\nfour\n"


def test_a_reader_that_stalls_costs_lines_beyond_the_limit_and_no_time(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, lost, limit=10_000)
    line = b"x" * 999 + b"\n"
    for _ in range(100):
        writer.write(line)
    assert not writer.flush(0.0)
    assert 80 <= writer.lost == writer.unreported <= 95

    # The reader goes on: what was kept comes first, then the report.
    with ThreadPoolExecutor() as threads:
        taken = threads.submit(_read_until, reading, b"after\n")
        assert writer.flush(SECONDS)
        writer.write(b"after\n")
        *kept, report, after = taken.result(SECONDS).splitlines(keepends=True)
    assert set(kept) == {line}
    assert len(kept) + writer.lost == 100
    assert report == lost(writer.lost)
    assert after == b"after\n"


def _read_until(descriptor: int, end: bytes) -> bytes:
    taken = b""
    while not taken.endswith(end):
        taken += os.read(descriptor, 65536)
    return taken


def test_a_descriptor_that_does_not_block_loses_no_line(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    writer = LineWriter(writing, lost)
    line = b"x" * 999 + b"\n"
    for _ in range(20):
        writer.write(line)
    taken = b""
    while len(taken) < 20 * len(line):
        taken += os.read(reading, 65536)
    assert taken == line * 20
    assert writer.lost == 0


def test_a_fork_writes_its_own_lines_and_not_those_of_its_parent(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, lost)
    writer.write(b"parent\n")
    child = os.fork()
    if child == 0:
        writer.write(b"child\n")
        writer.flush(SECONDS)
        os._exit(0)
    os.waitpid(child, 0)
    assert writer.flush(SECONDS)
    assert sorted(os.read(reading, 4096).splitlines()) == [b"child", b"parent"]
