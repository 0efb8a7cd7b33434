"""What a binary refuses on its command line, as it would be ignored."""
from __future__ import annotations

from typing import Sequence

from absl import app, flags

_PACKAGE = __name__.partition(".")[0] + "."


def check(argv: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Refuses what is no flag, and flags of modules of experiments that the binary did not adopt.

    Args:
      argv: What `app.run` gives to `main`; the first is absl's name of the binary.
      flag_values: Where the flags are.

    Raises:
      app.UsageError: naming what the binary does not read.
    """
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments {list(argv[1:])}; flags start with --")
    modules = flag_values.flags_by_module_dict().items()
    given = {flag.name for module, found in modules if module.startswith(_PACKAGE) for flag in found if flag.present}
    ignored = sorted(f"--{name}" for name in given - {f.name for f in flag_values.get_key_flags_for_module(argv[0])})
    if ignored:
        raise app.UsageError(f"{', '.join(ignored)}: not read by this binary; --help lists what is")
