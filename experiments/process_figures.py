"""What a process holds, read from its folder under /proc."""
from __future__ import annotations

import os


def rss_mb(process: str = "/proc/self") -> float:
    """Returns its resident memory, MB."""
    with open(f"{process}/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads(process: str = "/proc/self") -> int:
    """Returns how many threads it has."""
    return len(os.listdir(f"{process}/task"))


def open_files(process: str = "/proc/self") -> int:
    """Returns how many file descriptors it has."""
    return len(os.listdir(f"{process}/fd"))
