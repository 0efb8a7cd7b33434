"""A private network for a server that listens everywhere and trusts everyone."""
from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import NoReturn

from absl import flags

from experiments.errors import RunError

EXPOSE = flags.DEFINE_bool(
    "expose_replay",
    False,
    "Let the replay server, and the workers of a learner, listen on this host's networks. They have no authentication: "
    "whoever reaches the port can read and change the experience and the weights. Only behind a firewall.",
)
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
_ENTERED = "INFONODES_PRIVATE_NETWORK"


def interfaces() -> list[str]:
    """Returns the names of the network interfaces that this process sees, the loopback left out."""
    return sorted(name for _, name in socket.if_nameindex() if name != "lo")


def refuse_exposure(who: str) -> None:
    """Raises RunError if `who` of this process could be reached from elsewhere, unless that was asked for."""
    found = interfaces()
    if found and not EXPOSE.value:
        raise RunError(
            f"{who} would listen on {', '.join(found)} without authentication; start it by "
            "`python -m experiments.distributed.launch` or under `unshare -rn`, or pass --expose_replay if a "
            "firewall protects the port"
        )


def enter(module: str) -> None:
    """Runs `module` anew, with this process's arguments, in a network that holds nothing else.

    It returns if there already is only the loopback, which it brings up, or with
    `--expose_replay`.

    Raises:
      RunError: if namespaces are not to be had.
    """
    if not interfaces():
        loopback_up()
        return
    if EXPOSE.value:
        print(f"warning: the replay server can be reached on {', '.join(interfaces())}", file=sys.stderr)
        return
    if os.environ.get(_ENTERED):
        raise RunError(f"a private network was made, yet {', '.join(interfaces())} are in it")
    if not available():
        raise RunError(
            "a private network for the replay server cannot be had here (`unshare -rn true` failed: user namespaces "
            "may be switched off); run in a container without a network, or pass --expose_replay if a firewall "
            f"protects {', '.join(interfaces())}"
        )
    _again(module)


def available() -> bool:
    """Returns whether this user can make a network namespace."""
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "-rn", "true"], check=False, capture_output=True).returncode == 0


def loopback_up() -> None:
    """Brings the loopback up: it is down in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags_now = struct.unpack("16sh14x", fcntl.ioctl(control, _GET_FLAGS, request))[1]
        if not flags_now & _UP:
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags_now | _UP))


def _again(module: str) -> NoReturn:
    os.environ[_ENTERED] = "1"
    sys.stdout.flush()
    tool = shutil.which("unshare")
    assert tool is not None
    os.execv(tool, [tool, "-rn", sys.executable, "-m", module, *sys.argv[1:]])
