"""How often the system killed a process for lack of memory, in this container or on this machine.

A killed process cannot say why. When the count has risen while it lived, this was why.
"""

import re
from pathlib import Path

CGROUPS = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")
EVERYWHERE = Path("/proc/vmstat")  # of the whole machine, where there are no control groups


def count() -> int:
    """The kernel's count, 0 where it keeps none. It begins again when the machine does."""
    for path in (*_of_cgroup(), EVERYWHERE):
        try:
            found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0


def _of_cgroup() -> list[Path]:
    """Where version 2 and version 1 keep it; a container sees its own group as the root."""
    try:
        rows = [line.split(":", 2) for line in CGROUPS.read_text().splitlines()]
    except OSError:
        return []
    paths = []
    for _, controllers, group in rows:
        if not controllers:
            paths += [MOUNT / group[1:] / "memory.events", MOUNT / "memory.events"]
        elif "memory" in controllers.split(","):
            folders = (MOUNT / "memory" / group[1:], MOUNT / "memory")
            paths += [folder / "memory.oom_control" for folder in folders]
    return paths
