"""What TensorBoard shows of a graph of nodes besides scalars: its picture, its reward tree, its priorities."""
from __future__ import annotations

from typing import Mapping, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from infonodes.agent import InfoNodeAgent
from infonodes.rewards import CostTree


class Branch(NamedTuple):
    """One node's part of the intrinsic reward.

    Attributes:
      name: Of the node.
      weight: In the agent's cost tree.
      cost: Of the node, ≥ 0.
      reward: −weight · cost.
    """

    name: str
    weight: float
    cost: float
    reward: float


def branches(tree: CostTree, costs: Mapping[str, float]) -> list[Branch]:
    """Returns each node's part of the intrinsic reward, the most expensive first.

    Args:
      tree: The agent's.
      costs: Mean cost by node name.
    """
    found = [Branch(n, tree.weight(n), float(c), 0.0 - tree.weight(n) * float(c)) for n, c in costs.items()]
    return sorted(found, key=lambda branch: (branch.reward, branch.name))


def write(
    agent: InfoNodeAgent,
    costs: Mapping[str, float],
    priorities: Optional[np.ndarray],
    picture: str,
    step: int,
) -> None:
    """Writes to the summary writer in scope.

    ```
    graph/picture, graph/mermaid     the nodes with their costs
    reward_tree/NODE, reward_tree/intrinsic     scalars; reward_tree/table a text
    replay/priority     histogram of the costs that the last update gave back to the replay
    ```

    Args:
      agent: Whose nodes.
      costs: Mean cost by node name, of those that train.
      priorities: `[B]`, or None where there are none.
      picture: PNG of the graph.
      step: Environment steps.
    """
    with open(picture, "rb") as file:
        pixels = tf.io.decode_png(file.read(), channels=3)
    tf.summary.image("graph/picture", pixels[None], step=step)
    tf.summary.text("graph/mermaid", f"```\n{agent.graph.draw('mermaid', costs)}\n```", step=step)
    found = branches(agent.cost_tree, costs)
    for branch in found:
        tf.summary.scalar(f"reward_tree/{branch.name}", branch.reward, step=step)
    total = sum(branch.reward for branch in found)
    tf.summary.scalar("reward_tree/intrinsic", total, step=step)
    lines = ["| node | weight | cost | reward |", "| --- | --- | --- | --- |"]
    lines += [f"| {b.name} | {b.weight:g} | {b.cost:.4g} | {b.reward:.4g} |" for b in found]
    tf.summary.text("reward_tree/table", "\n".join([*lines, f"| intrinsic | | | {total:.4g} |"]), step=step)
    if priorities is not None and len(priorities):
        tf.summary.histogram("replay/priority", priorities, step=step)
