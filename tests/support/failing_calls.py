"""System calls that fail as on a full, read-only or broken disk, without such a disk.

A seccomp filter lets the kernel refuse a call with a chosen error, see seccomp(2). It holds for one
thread and the threads that this one starts, and needs no rights.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["failing"]

_Answer = TypeVar("_Answer")

# Numbers by machine. On arm64 glibc makes the older calls by their newer forms.
_CALLS = {
    "x86_64": {"write": 1, "open": 257, "fsync": 74, "rename": 82, "mkdir": 83, "unlink": 87},
    "aarch64": {"write": 64, "open": 56, "fsync": 82, "rename": 38, "mkdir": 34, "unlink": 35},
}
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# In struct seccomp_data: the number of the call, and the lower half of its third argument.
_NUMBER, _THIRD = 0, 32


def failing(call: str, number: int, function: Callable[[], _Answer]) -> _Answer:
    """What `function` returns or raises, in a thread where `call` fails with this errno.

    Threads that were started before do not have the filter: `function` makes its own storage.

    `create` is an open that may create a file.
    """

    def run() -> _Answer:
        _refuse(call, number)
        return function()

    # A thread of its own, which ends with its filter.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def _refuse(call: str, number: int) -> None:
    wanted = _CALLS[platform.machine()]["open" if call == "create" else call]
    program = [
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3 if call == "create" else 1, wanted),
        *([(_LOAD, 0, 0, _THIRD), (_JUMP_IF_BITS, 0, 1, os.O_CREAT)] if call == "create" else []),
        (_RETURN, 0, 0, _ERRNO | number),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    held = ctypes.create_string_buffer(code)
    length_and_address = struct.pack("HP", len(program), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, length_and_address
    ):
        raise OSError(ctypes.get_errno(), f"no seccomp: {errno.errorcode[ctypes.get_errno()]}")
