"""Whether what is kept in a folder is still there when the machine was restarted.

A run folder is appended to, locked and renamed in, so it must lie on a real disk. A bucket mounted
into a Space is none: it is written late and shown late, and what was not yet written is lost.
"""

from pathlib import Path

import psutil

# File systems of real disks. Of anything else (fuse, nfs, 9p, a container's overlay) nothing is
# promised here: what is no disk must never be taken for one.
DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs"})


def is_lasting(path: Path) -> bool:
    """Whether `path` lies on a disk mounted into this container, not on the container's own."""
    mounts = {Path(m.mountpoint): m.fstype for m in psutil.disk_partitions(all=True)}
    path = path.resolve()
    mount = next((p for p in (path, *path.parents) if p in mounts), Path("/"))
    return mount != Path("/") and mounts[mount] in DISKS
