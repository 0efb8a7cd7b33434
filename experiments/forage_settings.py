"""What the runs of forage have in common, as data."""
from __future__ import annotations

from typing import Any

from infonodes.environments.forage import ForageSettings

# Of what being alive takes, the share that thinking is billed for.
THINKING = 0.2


def body(world: ForageSettings) -> dict[str, Any]:
    """Returns `BodySettings` whose physics is the world's: meals, metabolism, cold, and the bill for acting."""
    return {
        "components": 2,
        "capacity": world.capacity,
        "start": world.start,
        "set_point": 0.9 * world.capacity,
        "basal": (1 - THINKING) * world.basal,
        "think": THINKING * world.basal,
        "intake": "eaten",
        "usefulness": world.usefulness.tolist(),
        "act": world.prices.tolist() if world.bill else None,
        "exposure": "cold",
        "exposure_price": world.chill,
    }
