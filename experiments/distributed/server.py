"""The replay server of a distributed run: experience and weights behind one port.

  python -m experiments.distributed.server --root_dir=runs/FOLDER --address=localhost:PORT

It listens on all interfaces, without authentication: the launcher puts it into a network
namespace of its own. Alone it refuses to start outside of one without --expose_replay.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import time

import reverb
from absl import flags

from experiments.distributed import isolation, roles
from infonodes.replay.serving import ReplayServer
from infonodes.replay.weights import WeightsFormat

flags.adopt_module_key_flags(roles)
flags.adopt_module_key_flags(isolation)
_EVERY_S = flags.DEFINE_float("replay_checkpoint_every_s", 60.0, "Time from one checkpoint of the replay to the next.")
_RATIO = flags.DEFINE_float(
    "samples_per_insert",
    None,
    "Has collectors and learner wait for each other to keep this ratio (1000 off at most).",
)
_ADOPT = flags.DEFINE_bool("adopt", False, "Serve tables as the checkpoint has them, where the config differs.")


def tables(role: roles.Role) -> list[reverb.Table]:
    """Returns the table of experience and the one of weights."""
    agent = roles.build_agent(role.config)
    with roles.make_replay(agent, role.config) as replay:
        table = replay.make_table(role.config.replay.get("max_size", 100_000), 1)
    if _RATIO.value:
        first = max(role.config.batch_size, role.config.warmup)
        slack = max(1000.0, 2.0 * _RATIO.value, 2.0 * role.config.batch_size)
        table = table.replace(rate_limiter=reverb.rate_limiters.SampleToInsertRatio(_RATIO.value, first, slack))
    return [table, WeightsFormat(agent.collect_policy.variables()).make_table()]


def serve(server: ReplayServer, role: roles.Role, every_s: float) -> int:
    """Saves every so often until told to stop, then saves; returns the exit code.

    A save that the disk does not take is said, and tried again later; experience is served meanwhile.

    Raises:
      OSError: if the disk does not take the last one.
    """
    saved = tried = time.monotonic()
    while True:
        stopping = role.stop.wait(1.0)
        if stopping or time.monotonic() - tried >= every_s:
            tried = time.monotonic()
            try:
                path = server.save()
            except OSError as error:
                if stopping:
                    raise
                role.say(f"not saved: {error}; trying again in {every_s:g} s")
            else:
                saved = tried
                role.say(f"saved {os.path.basename(path)}", every_s=0.0 if stopping else 300.0, key="saved")
        role.report(sizes=server.sizes(), restored=server.restored, saved_ago_s=time.monotonic() - saved)
        if stopping:
            server.stop()
            return roles.STOPPED


def main() -> int:
    """Serves until told to stop, then saves."""
    role = roles.Role("server")
    isolation.refuse_exposure("the replay server")
    port = int(roles.ADDRESS.value.rpartition(":")[2])
    server = ReplayServer(tables(role), role.folder.file("replay"), port, _ADOPT.value)
    role.say(f"serving at port {port}, {server.restored or 'nothing'} restored")
    return serve(server, role, _EVERY_S.value)


if __name__ == "__main__":
    roles.run(main)
