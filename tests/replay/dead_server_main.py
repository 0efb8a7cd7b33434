"""Run by test_dead_server: kills a replay's server and makes every call that waits for it."""
import os
import subprocess
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from replay_cases import DATA_SPEC, make_episode

from infonodes.replay import CostPrioritizedReplay, ReplayTimeout


def _serve():
    print(CostPrioritizedReplay(DATA_SPEC, 2).address, flush=True)
    time.sleep(60)


def _write(observer):
    for frame in make_episode(1):
        observer(frame)


def _calls_to_a_dead_server():
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().strip()
        connect = lambda: CostPrioritizedReplay(DATA_SPEC, 2, address=address, deadline_s=1.0)
        replay = connect()
        observer = replay.observer()
        for _ in range(8):
            _write(observer)
        _, info = next(iter(replay.dataset(4)))
    finally:
        server.kill()
        server.wait()
    return address, dict(
        write=lambda: _write(observer),
        write_on=lambda: [_write(observer) for _ in range(1200)],
        flush=observer.flush,
        flush_soon=lambda: observer.flush(0.1),
        size=lambda: replay.size,
        check=replay.check,
        wait_for=lambda: replay.wait_for(100, timeout_s=1.0),
        update=lambda: replay.update_priorities(info, tf.ones([4])),
        clear=replay.clear,
        close_observer=observer.close,
        connect=connect,
    )


def main():
    if sys.argv[1:] == ["serve"]:
        _serve()
    address, calls = _calls_to_a_dead_server()
    for name, call in calls.items():
        start = time.monotonic()
        try:
            call()
            result = "returned"
        except ReplayTimeout as error:
            result = "ReplayTimeout" if address in str(error) else "no-address"
        late = time.monotonic() - start > 6.0  # deadline + 5 s, for a busy machine
        print("RESULT", name, result, "late" if late else "in-time", flush=True)
    os._exit(0)  # not through Reverb's destructors: they wait for the server


if __name__ == "__main__":
    main()
