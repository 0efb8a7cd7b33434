"""Kills a role of a distributed run, again and again, and counts what that cost.

  python -m experiments.chaos --kill=server --n=3 --down=3,20
  python -m experiments.chaos --kill=learn --n=20 --down=1
  python -m experiments.chaos --kill=collect-0 --n=20 --down=1
  python -m experiments.chaos --kill=learn-1 --workers=2 --n=5 --down=1 --collectors=1
  python -m experiments.chaos --kill=learn --n=1 --down=30 --samples_per_insert=4
  python -m experiments.chaos --kill=server --n=1 --down=1 --signal=TERM

It exits with 1 if a bar is missed. Figures are printed as lines of JSON.
"""
from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
import re
import signal
import tempfile
import time
from typing import Any, Callable

from absl import flags

from experiments import chaos_audit, chaos_counter
from experiments.distributed import isolation, plan, roles
from experiments.distributed.supervisor import Supervisor
from experiments.errors import RunError
from experiments.run_config import RunConfig
from infonodes.replay.serving import read_manifest

flags.declare_key_flag("root_dir")
flags.declare_key_flag("give_up_s")
flags.declare_key_flag("expose_replay")
_KILL = flags.DEFINE_string("kill", "server", "The role: server, learn, learn-N, or collect-N.")
_N = flags.DEFINE_integer("n", 3, "How often.")
_DOWN = flags.DEFINE_list("down", ["3", "20"], "Seconds until it is started again, in turn.")
_SIGNAL = flags.DEFINE_enum("signal", "KILL", ("KILL", "TERM"), "KILL gives no warning.")
_COLLECTORS = flags.DEFINE_integer("collectors", 2, "How many.")
_WORKERS = flags.DEFINE_integer("workers", 1, "Learner processes; of several, learn and learn-N can be killed.")
_RATIO = flags.DEFINE_float("samples_per_insert", None, "See the server.")
_SAVE_S = flags.DEFINE_float("save_every_s", 10.0, "Of the replay; the learner saves every half of it.")
_BETWEEN_S = flags.DEFINE_float("between_s", 12.0, "From all being well to the next kill.")
_READY_S, _RESUME_S = 600.0, 300.0
# The bars: reliability.md, section 4. Starting Python and TensorFlow again is in them.
_MOST_DETECT_S, _MOST_RESUME_S, _MOST_STOP_S = 10.0, 45.0, 30.0
_SIGNS = re.compile(r"waiting for|is gone|hears of")


class Chaos:
    """One run, and who kills its roles."""

    def __init__(self, folder: Any, supervisor: Supervisor):
        """Starts the run."""
        self._folder, self._supervisor = folder, supervisor
        self._peers = [name for name in supervisor.children if name != "server"]
        self.misses: list[str] = []
        supervisor.start_all()
        self._await(time.time(), "start", _READY_S)

    def once(self, name: str, down_s: float) -> dict[str, Any]:
        """Kills `name`, starts it again, and returns what was seen."""
        before = {peer: roles.read_status(self._folder.path, peer) for peer in self._peers}
        marks = {peer: self._log_size(peer) for peer in self._peers}
        found: dict[str, Any] = {"role": name, "down_s": down_s, "at_s": round(time.time() % 86_400, 2)}
        found["checkpoint_s"] = self._newest_checkpoint()
        self._end(name, found)
        waiting, detected = time.monotonic(), {}
        while time.monotonic() - waiting < down_s:
            self._look(marks, detected, waiting)
            self._supervisor.tend()
            time.sleep(0.2)
        self._supervisor.release(name)
        look = lambda: self._look(marks, detected, waiting)
        found["started_s"] = self._await_answer(name, look)
        found.update({f"resumed_{peer}_s": s for peer, s in self._await(time.time(), name, _RESUME_S, look).items()})
        found["detected_s"] = {peer: round(s, 1) for peer, s in detected.items()}
        if name.startswith("learn"):
            self._judge_learner(found, before["learn"])
        if name == "server" and down_s > _MOST_DETECT_S:
            for peer in self._peers:
                self._judge(detected.get(peer, 1e9) <= _MOST_DETECT_S, f"{peer} noticed after {detected.get(peer)} s")
        group = self._supervisor.children[name].group
        for peer in set(self._peers) - {name}:
            if group and self._supervisor.children[peer].group == group:
                continue  # It starts anew with the one that was killed; a start is not what is judged.
            self._judge(found[f"resumed_{peer}_s"] <= _MOST_RESUME_S, f"{peer} took {found[f'resumed_{peer}_s']} s")
        return found

    def audit(self, kills: list[dict[str, Any]]) -> dict[str, Any]:
        """Stops who writes, counts what the server has, and stops it."""
        stopped = {}
        for name in sorted(self._peers):
            self._supervisor.children[name].process.send_signal(signal.SIGTERM)
        for name in sorted(self._peers):
            stopped[name] = self._supervisor.children[name].process.wait(_MOST_STOP_S)
        config = self._folder.config()
        replay = roles.make_replay(roles.build_agent(config), config, self._address())
        if _RATIO.value is not None:
            return {**self._count(replay), "exit_codes": stopped}
        found = chaos_audit.audit(replay)
        gaps = []
        for gap in found.gaps:
            gaps.append({"lost": gap.lost, "after_s": round(gap.after_s, 2), "before_s": round(gap.before_s, 2)})
            miss = f"{gap.lost} windows lost that did not come in between a checkpoint and a kill: {gaps[-1]}"
            self._judge(chaos_audit.lawful(gap, kills), miss)
        self._judge(found.straddling == 0, f"{found.straddling} windows across episodes")
        self._judge(found.doubled == 0, f"{found.doubled} windows doubled")
        return {
            "windows": found.windows, "straddling": found.straddling, "doubled": found.doubled, "cut": found.cut,
            "gaps": gaps, "exit_codes": stopped,
        }

    def _count(self, replay: Any) -> dict[str, Any]:
        """Compares what collectors wrote with what the table took: its limiter lets nobody read all of it."""
        collectors = [name for name in self._peers if name.startswith("collect")]
        written = sum(roles.read_status(self._folder.path, name)["written"] for name in collectors)
        limiter = replay.py_client.server_info(timeout=10)[replay.table_name].rate_limiter_info
        inserted = limiter.insert_stats.completed
        self._judge(written == inserted, f"{written} windows were written, {inserted} came in")
        return {"written": written, "inserted": inserted, "lost": written - inserted}

    def _end(self, name: str, found: dict[str, Any]) -> None:
        child = self._supervisor.children[name]
        if _SIGNAL.value == "KILL":
            self._supervisor.kill(name)
            return
        child.held = True
        start = time.monotonic()
        child.process.send_signal(signal.SIGTERM)
        found["exit_code"] = child.process.wait(120)
        found["stopped_s"] = round(time.monotonic() - start, 1)
        self._judge(found["exit_code"] == roles.STOPPED, f"{name} left with {found['exit_code']}")
        self._judge(found["stopped_s"] <= _MOST_STOP_S, f"{name} took {found['stopped_s']} s to stop")

    def _await_answer(self, name: str, look: Callable[[], None]) -> float:
        """Waits until a server that was started answers: importing TensorFlow is not what is judged."""
        start, endpoint = time.monotonic(), roles.Endpoint(self._address())
        while name == "server" and not endpoint.answers():
            if time.monotonic() - start > _RESUME_S:
                raise RunError(f"the server did not answer {_RESUME_S:g} s after it was started")
            look()
        return round(time.monotonic() - start, 1)

    def _address(self) -> str:
        command = self._supervisor.children["server"].command
        return next(a.partition("=")[2] for a in command if a.startswith("--address="))

    def _await(
        self, since_s: float, what: str, timeout_s: float, look: Callable[[], None] = lambda: None
    ) -> dict[str, float]:
        """Waits until every peer gets on; returns after how long each did."""
        first: dict[str, Any] = {}
        done: dict[str, float] = {}
        start = time.monotonic()
        while len(done) < len(self._peers):
            if time.monotonic() - start > timeout_s:
                raise RunError(f"{what}: {sorted(set(self._peers) - set(done))} not back after {timeout_s:g} s")
            look()
            code = self._supervisor.tend()
            if code is not None:
                raise RunError(f"{what}: the run ended with code {code}")
            for peer in set(self._peers) - set(done):
                status = roles.read_status(self._folder.path, peer)
                if status.get("time_s", 0.0) < since_s:
                    continue
                count = (status["pid"], status.get("step", status.get("moves")))
                began = first.setdefault(peer, count)
                if began[0] != count[0]:
                    first[peer] = count
                elif count[1] > began[1]:
                    done[peer] = round(time.monotonic() - start, 1)
            time.sleep(0.2)
        return done

    def _judge_learner(self, found: dict[str, Any], before: dict[str, Any]) -> None:
        with open(self._folder.file("logs/learn.log"), encoding="utf-8", errors="replace") as file:
            restored = int((re.findall(r"goes on from update (\d+)", file.read()) or [0])[-1])
        found["updates_lost"] = before["step"] - restored
        self._judge(found["updates_lost"] <= 1000, f"{found['updates_lost']} updates lost")

    def _judge(self, holds: bool, miss: str) -> None:
        if not holds:
            self.misses.append(miss)

    def _look(self, marks: dict[str, int], detected: dict[str, float], start: float) -> None:
        for peer in set(marks) - set(detected):
            with open(self._folder.file(f"logs/{peer}.log"), encoding="utf-8", errors="replace") as file:
                file.seek(marks[peer])
                if _SIGNS.search(file.read()):
                    detected[peer] = time.monotonic() - start

    def _log_size(self, name: str) -> int:
        return os.path.getsize(self._folder.file(f"logs/{name}.log"))

    def _newest_checkpoint(self) -> Any:
        kept = self._folder.file("replay/kept")
        numbers = sorted(n for n in os.listdir(kept) if n.isdigit()) if os.path.isdir(kept) else []
        return round(read_manifest(os.path.join(kept, numbers[-1]))["time_s"] % 86_400, 2) if numbers else None


def main() -> int:
    """Runs the trial; returns 1 if a bar was missed."""
    isolation.enter("experiments.chaos")
    out = roles.ROOT_DIR.value or os.path.join(tempfile.mkdtemp(prefix="chaos-"), "run")
    config = RunConfig(
        env=chaos_counter.NAME, preset="reactive", steps=10_000_000, batch_size=32, warmup=100,
        replay={"max_size": 1_000_000},
    )
    folder = plan.prepare(config, out)
    role_flags = [
        f"server:--replay_checkpoint_every_s={_SAVE_S.value}",
        f"learn:--checkpoint_every_s={_SAVE_S.value / 2}",
    ]
    if _RATIO.value:
        role_flags.append(f"server:--samples_per_insert={_RATIO.value}")
    supervisor = Supervisor(plan.children(folder, _COLLECTORS.value, _WORKERS.value, role_flags), folder.file("logs"))
    try:
        chaos, kills = Chaos(folder, supervisor), []
        for i in range(_N.value):
            end = time.monotonic() + _BETWEEN_S.value
            while time.monotonic() < end:
                supervisor.tend()
                time.sleep(0.2)
            kills.append(chaos.once(_KILL.value, float(_DOWN.value[i % len(_DOWN.value)])))
            print(json.dumps(kills[-1]), flush=True)
        print(json.dumps(chaos.audit(kills)), flush=True)
    finally:
        supervisor.stop()
    for miss in chaos.misses:
        print(f"MISS: {miss}", flush=True)
    return int(bool(chaos.misses))


if __name__ == "__main__":
    roles.run(main)
