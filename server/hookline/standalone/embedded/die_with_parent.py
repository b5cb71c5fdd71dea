"""Become another program that ends with its parent: run as a script, never imported.

    python die_with_parent.py PARENT_PID UID GID PROGRAM [ARGUMENT...]

A script and not a preexec_fn, which is unsafe beside threads; and it changes the user itself,
since that user may be unable to run our Python. Linux only: elsewhere the program just starts.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, uid: int, gid: int, program: list[str]) -> None:
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which would clear it. SIGQUIT is PostgreSQL's immediate shutdown.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:
        sys.exit("the parent was gone before its server started")
    os.execv(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
