"""SIGTERM and SIGINT as a wish to stop, met at the next step."""
from __future__ import annotations

import signal
import threading
from typing import Any, Optional

# sysexits.h: EX_TEMPFAIL, "try again": a checkpoint was written, the same command goes on.
EXIT_SAVED = 75
# sysexits.h: EX_IOERR: the disk refused a checkpoint; the last good one stays.
EXIT_NOT_SAVED = 74


class StopSignals:
    """While entered, the first SIGTERM or SIGINT only sets `received`; a second one ends at once.

    ```
    with StopSignals() as stop:
        while not stop.received:
            step()
        checkpoints.save(step)
    ```

    Outside the main thread, where Python takes no handlers, nothing is ever received.

    Attributes:
      received: The signal's number, or None.
    """

    _NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in self._NUMBERS}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _on_signal(self, number: int, frame: Any) -> None:
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
