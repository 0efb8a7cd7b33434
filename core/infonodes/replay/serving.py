"""A Reverb server that survives: one a port, and verified checkpoints of its tables."""
from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time
from typing import Any, Sequence

import reverb
import tree
from absl import logging

from infonodes.replay import faults, table_files
from infonodes.replay.faults import ReplayFault

_KEPT = 2
_SAVE_DEADLINE_S = 60.0
_MANIFEST, _DAMAGED = "manifest.json", "damaged-"


class PortLock:
    """Holds a port for one server: gRPC's own socket options let two bind the same one.

    The lock is an abstract Unix socket, which like a port belongs to a network namespace and
    vanishes with its process; a look for a listener finds those that take no lock.
    """

    def __init__(self, port: int):
        """Takes the lock.

        Args:
          port: Which.

        Raises:
          ReplayFault: if a server has it.
        """
        self._lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._lock.bind(f"\0infonodes-replay-port-{port}")
            _refuse_listener(port)
        except OSError as error:
            self._lock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise ReplayFault(
                f"port {port}: a server is there already, and a second one would share its clients with it; "
                "stop that one, or choose another port"
            ) from error

    def release(self) -> None:
        """Gives the port free; safe to call twice."""
        self._lock.close()


class ReplayServer:
    """Tables behind a port, with checkpoints of their own that are verified before they are used.

    ```
    folder/spool/            Reverb's: its checkpointer deletes whatever else lies here
    folder/kept/NNNNNNNN/    a whole checkpoint, and manifest.json: sha256 a file, tables, sizes
    folder/kept/damaged-N/   set aside with a warning
    ```

    Started on a folder that has checkpoints, it goes on from the newest one that is whole; a
    damaged one is skipped with a warning where bare Reverb would start empty.

    Security: it listens on every network interface, without authentication; see
    docs/scaling.md.

    Attributes:
      port: Where it listens.
      restored: Items by table that came from a checkpoint; empty if it started afresh.
    """

    def __init__(self, tables: Sequence[reverb.Table], folder: str, port: int, adopt: bool = False):
        """Takes the port, restores and starts.

        Args:
          tables: What to serve.
          folder: For the checkpoints of this server and nothing else.
          port: Where to listen.
          adopt: Serve the tables as they are in the checkpoint, where they differ from
            `tables` in capacity, sampler, signature and so on.

        Raises:
          ReplayFault: if another server has the port, the folder is a link, or the
            checkpoint's tables differ.
        """
        self._lock = PortLock(port)
        self.port = port
        self._spool, self._kept = (os.path.join(folder, name) for name in ("spool", "kept"))
        for path in (folder, self._spool, self._kept):
            if os.path.islink(path):
                raise ReplayFault(f"checkpoint folder {path!r} is a link, whose target Reverb would empty; name it")
            os.makedirs(path, mode=0o700, exist_ok=True)
        self._described = {table.name: _describe(table.info) for table in tables}
        self.restored = self._prepare_spool(adopt)
        checkpointer = reverb.checkpointers.DefaultCheckpointer(path=self._spool)
        self._server = reverb.Server(list(tables), port=port, checkpointer=checkpointer)
        self._client = reverb.Client(f"localhost:{port}")
        # What is served, which is what was asked for unless `adopt` took other tables: the next start compares with it.
        served = self._client.server_info(timeout=int(_SAVE_DEADLINE_S))
        self._described = {name: _describe(served[name]) for name in sorted(served)}
        found = self.sizes()
        if self.restored and found != self.restored:
            self.stop()
            raise ReplayFault(
                f"checkpoint in {folder!r}: expected {self.restored} items, the server has {found}; "
                f"delete the newest folder in {self._kept!r} to go on from the one before"
            )

    def sizes(self) -> dict[str, int]:
        """Returns the number of items by table."""
        info = self._client.server_info(timeout=int(_SAVE_DEADLINE_S))
        return {name: info[name].current_size for name in sorted(info)}

    def save(self) -> str:
        """Saves all tables; their items are held meanwhile (0.3 s for 100,000 of 1 KB).

        Returns:
          The new checkpoint's folder, whole when this returns.

        Raises:
          OSError: if the disk does not take it; those before stay.
          ReplayTimeout: if it takes longer than a minute.
        """
        path, sizes = table_files.write(self._client, _SAVE_DEADLINE_S, self._spool)
        number = max([int(name) for name in self._numbers()], default=0) + 1
        part = os.path.join(self._kept, f"{number:08d}.part")
        os.rename(path, part)
        try:
            self._write_manifest(part, sizes, os.path.basename(path))
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        whole = part[: -len(".part")]
        os.rename(part, whole)
        for name in self._numbers()[:-_KEPT]:
            shutil.rmtree(os.path.join(self._kept, name))
        return whole

    def stop(self) -> None:
        """Stops serving, without a checkpoint."""
        faults.within(_SAVE_DEADLINE_S, self._server.stop, f"localhost:{self.port}", "stopping")
        self._lock.release()

    # -- private -----------------------------------------------------------------------------

    def _write_manifest(self, folder: str, sizes: dict[str, int], spool_name: str) -> None:
        manifest = {
            "tables": self._described,
            "sizes": sizes,
            "files": {name: _sha256(os.path.join(folder, name)) for name in sorted(os.listdir(folder))},
            "spool_name": spool_name,
            "time_s": time.time(),
        }
        with open(os.path.join(folder, _MANIFEST), "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())

    def _numbers(self) -> list[str]:
        return sorted(name for name in os.listdir(self._kept) if name.isdigit())

    def _prepare_spool(self, adopt: bool) -> dict[str, int]:
        """Puts the newest whole checkpoint, and only that, where Reverb will load it from."""
        table_files.empty(self._spool)
        for name in os.listdir(self._kept):
            if name.endswith(".part"):
                shutil.rmtree(os.path.join(self._kept, name))
        for number in reversed(self._numbers()):
            folder = os.path.join(self._kept, number)
            try:
                manifest = read_manifest(folder)
            except ReplayFault as fault:
                logging.warning("%s; trying the one before", fault)
                continue
            if not adopt:
                self._refuse_other_tables(manifest["tables"], folder)
            target = os.path.join(self._spool, manifest["spool_name"])
            os.mkdir(target, 0o700)
            for file in manifest["files"]:
                shutil.copyfile(os.path.join(folder, file), os.path.join(target, file))
            self._set_aside(after=number)
            return dict(manifest["sizes"])
        if self._numbers():
            raise ReplayFault(
                f"no checkpoint in {self._kept!r} is whole; delete the folder's content to start with an empty replay"
            )
        return {}

    def _set_aside(self, after: str) -> None:
        """Renames the damaged ones newer than `after`, so that they do not count among those kept."""
        for number in self._numbers():
            if number > after:
                aside = os.path.join(self._kept, _DAMAGED + number)
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(os.path.join(self._kept, number), aside)

    def _refuse_other_tables(self, saved: dict[str, Any], folder: str) -> None:
        differences = [
            f"{table}.{field}: asked for {asked.get(field)}, saved {had.get(field)}"
            for table in sorted({*saved, *self._described})
            for asked, had in [(self._described.get(table, {}), saved.get(table, {}))]
            for field in sorted({*asked, *had})
            if asked.get(field) != had.get(field)
        ]
        if differences:
            raise ReplayFault(
                f"checkpoint {folder!r} has other tables, and Reverb would serve those silently: "
                f"{'; '.join(differences)}; pass adopt to take them, or another folder"
            )


def read_manifest(folder: str) -> dict[str, Any]:
    """Returns a checkpoint's manifest once every file is what it says.

    Args:
      folder: A folder that `ReplayServer.save` returned.

    Raises:
      ReplayFault: naming what is damaged.
    """
    try:
        with open(os.path.join(folder, _MANIFEST), encoding="utf-8") as file:
            manifest = json.load(file)
        files, name = manifest["files"], manifest["spool_name"]
        manifest["sizes"], manifest["tables"]  # noqa: B018
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayFault(f"checkpoint {folder!r}: its manifest cannot be read ({error!r})") from error
    if any(os.path.basename(n) != n for n in [*files, name]):
        raise ReplayFault(f"checkpoint {folder!r}: its manifest names files that lie elsewhere")
    for name, digest in files.items():
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            raise ReplayFault(f"checkpoint {folder!r}: {name!r} is missing")
        try:
            found = _sha256(path)
        except OSError as error:
            raise ReplayFault(f"checkpoint {folder!r}: {name!r} cannot be read ({error})") from error
        if found != digest:
            raise ReplayFault(f"checkpoint {folder!r}: {name!r} was changed after it was saved")
    return manifest


def _describe(info: Any) -> dict[str, Any]:
    """Returns what fixes a table, as JSON holds it."""
    limiter = info.rate_limiter_info
    leaves = tree.flatten(info.signature) if info.signature is not None else []
    return {
        "max_size": info.max_size,
        "max_times_sampled": info.max_times_sampled,
        "sampler": str(info.sampler_options).strip(),
        "remover": str(info.remover_options).strip(),
        "samples_per_insert": limiter.samples_per_insert,
        "min_size_to_sample": limiter.min_size_to_sample,
        "signature": [
            [spec.name, spec.dtype.name, [-1 if d is None else d for d in spec.shape]] for spec in leaves
        ],
    }


def _refuse_listener(port: int) -> None:
    """Raises EADDRINUSE if something listens on `port`, on any interface."""
    for family, host in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
        try:
            probe = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # No IPv6 here.
        with probe:
            # Lets connections of an earlier server linger, but no listener beside this one.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue
                raise


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
