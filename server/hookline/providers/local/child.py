"""The local parser's child process: reads one PDF and prints its text, or why there is none.

python -m hookline.providers.local.child FILE NAME MAX_PAGES MEMORY CPU_SECONDS KINDS
    prints a JSON object: {markdown, pages_without_text, artifacts} or {failed, reason}

KINDS are those of artifacts, with commas between them, or empty. An artifact that is too large is
null.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path

from hookline.providers.local.page_artifacts import PageArtifacts
from hookline.providers.local.reading import NoText, read_pdf

__all__ = ["MEMORY_LIMIT_EXCEEDED", "limit_resources", "main"]

MEMORY_LIMIT_EXCEEDED = "MEMORY_LIMIT_EXCEEDED"


# The highest: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
_KILLED_FIRST = "1000"


def limit_resources(memory: int, cpu_seconds: int) -> None:
    """Limit this process. An allocation over the limit fails; over the CPU time SIGXCPU ends it."""
    # A core file would be a copy of the document on disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    # macOS refuses a limit of the address space.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        # When the machine is short of memory, the kernel ends this process and not its worker.
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST)


def main(arguments: list[str]) -> None:
    """Be the child process. Only the answer goes to the output; all other prints, also of native

    code, go to standard error.
    """
    file, name, max_pages, memory, cpu_seconds, kinds = arguments
    limit_resources(int(memory), int(cpu_seconds))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer.write(_answer(Path(file), name, int(max_pages), kinds))
    answer.close()
    # The interpreter's own end would wait for the thread, which still reads.
    os._exit(0)


def _answer(file: Path, name: str, max_pages: int, kinds: str) -> bytes:
    said: dict[str, object]
    try:
        is_named_pdf = name.endswith(".pdf")
        artifacts = PageArtifacts(kinds.split(","))
        text = read_pdf(
            file.read_bytes(), is_named_pdf=is_named_pdf, max_pages=max_pages, artifacts=artifacts
        )
        said = {
            "markdown": text.markdown,
            "pages_without_text": text.pages_without_text,
            "artifacts": artifacts.texts(),
        }
        return json.dumps(said, ensure_ascii=False).encode()
    except NoText as error:
        said = {"failed": error.code, "reason": error.reason}
    except MemoryError:
        said = {"failed": MEMORY_LIMIT_EXCEEDED, "reason": ""}
    return json.dumps(said).encode()


def _end_with_parent() -> None:
    # The parent never writes to our input. It ends when the parent does.
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
