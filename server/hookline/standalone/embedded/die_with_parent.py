"""Become another program that ends with its parent. Run as a script, never imported.

    python die_with_parent.py PARENT_PID UID GID PROGRAM [ARGUMENT...]

A preexec_fn could do the same, but is unsafe beside threads. The script also changes the user,
because that user may be unable to run our Python. Only Linux has this signal: elsewhere the program
starts and does not end with its parent.
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
        # After setuid, which clears it. SIGQUIT is PostgreSQL's immediate shutdown.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:
        sys.exit("the parent ended before its server started")
    os.execv(program[0], program)  # noqa: S606 - without a shell on purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
