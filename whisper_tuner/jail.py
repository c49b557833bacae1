"""What a process gives up before it reads a file of a stranger: memory, time, the network, secrets.

Everything here works without privileges. None of it is a sandbox against code that has taken the
process over; it keeps a file that is damaged, or built to do harm, from costing more than itself.
"""

import ctypes
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Nothing of the page's own environment, where a Space has its tokens.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
START = (
    "import sys; from importlib import import_module; sys.path.insert(0, sys.argv[1]);"
    " import_module('whisper_tuner.jail').leave_network();"
    " import_module(sys.argv[2]).main(*sys.argv[3:])"
)
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h, CLONE_NEW*
NO_NEW_PRIVILEGES = 38  # linux/prctl.h, PR_SET_NO_NEW_PRIVS
FORBIDDEN = ("open", "import", "socket.", "subprocess.", "os.", "shutil.", "ctypes.dlopen", "pty.")


def command(module: str, *arguments: str) -> list[str]:
    """Runs `module.main(*arguments)` in a Python that reads no settings and no folder but ours, and
    from which no network can be reached where the kernel lets us leave it.
    """
    return [sys.executable, "-I", "-c", START, str(ROOT), module, *arguments]


def leave_network() -> None:
    """Into a network of its own without any device; before the process has a second thread."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        system.unshare(NEW_USER | NEW_NETWORK)  # refused in many containers


def limit(memory_bytes: int, cpu_s: int, n_files: int) -> None:
    """Limits that cannot be taken back: addresses, seconds of CPU, and open files and sockets; no
    file may be written, no core dumped. Memory is limited on Linux only.
    """
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def refuse_everything_else() -> None:
    """From here on Python code opens no file and no socket, starts nothing and imports nothing.

    By an audit hook (PEP 578), so libraries in C are not held by it.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple) -> None:
    is_open_already = event == "open" and isinstance(arguments[0], int)
    if event.startswith(FORBIDDEN) and not is_open_already:
        raise PermissionError(f"{event}: {arguments[0]}")
