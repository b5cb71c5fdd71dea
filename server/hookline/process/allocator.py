"""Setting glibc's allocator so that the memory of large bodies returns to the system."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["return_freed_memory"]

# From malloc.h. Setting M_MMAP_THRESHOLD also ends its growth: glibc raises it up to 32 MiB when a
# large block is freed, and then keeps such blocks in its heaps, one for each thread.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE_BLOCK = 2**17
# For the event loop and for all threads that parse, write and talk to Postgres.
_ARENAS = 2


def return_freed_memory() -> None:
    """Map each block from 128 KiB on its own, so that freeing it returns its memory.

    Does nothing without glibc. Source: mallopt(3).
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
