"""One move of a SynapticNode: what it decides, what it remembers, what it learns."""
from __future__ import annotations

from typing import NamedTuple, Optional

import tensorflow as tf

from infonodes.info_nodes.synaptic_settings import SynapticSettings
from infonodes.rules import rewiring, synapse
from infonodes.rules.synapse import Edges, Layout

# The note's activation of an edge halves every tick.
_ACTIVATION_DECAY = 0.5
# Of the running mean of feedback's sign.
_FAVOUR_RATE = 0.01


class Plastic(NamedTuple):
    """All that learning changes.

    Attributes:
      edges: The edge list.
      values: `[I]`, the critic's weights.
      visits: `[I]`, summed activity of the inputs.
      wounds: Scalar, edges lost to lesions and not yet born again.
    """

    edges: Edges
    values: tf.Tensor
    visits: tf.Tensor
    wounds: tf.Tensor


class Traces(NamedTuple):
    """What an episode leaves in the edges, of each row.

    Attributes:
      edges: `[E, B]`, eligibility; the note's activation for rules without it.
      values: `[I, B]`, the critic's.
    """

    edges: tf.Tensor
    values: tf.Tensor


class Move(NamedTuple):
    """One move as it was recorded.

    Attributes:
      inputs: `[I, B]`, at t.
      next_inputs: `[I, B]`, at t + 1.
      choice: int32 `[G, B]`.
      asked: `[B]`, 0 where the actuators did not hear the node, which then learns values only.
      reward: `[B]`.
      discount: `[B]`.
      valid: `[B]`, 0 for boundary frames.
      first: `[B]`, 1 at an episode's first frame.
      ended: `[B]`, 1 where the move ended its episode.
    """

    inputs: tf.Tensor
    next_inputs: tf.Tensor
    choice: tf.Tensor
    asked: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor
    valid: tf.Tensor
    first: tf.Tensor
    ended: tf.Tensor


def pools_of(edges: Edges, inputs: tf.Tensor, layout: Layout, cfg: SynapticSettings) -> synapse.Activity:
    """Returns the activity that `inputs` `[I, B]` lead to."""
    return synapse.spread(edges, inputs, layout, cfg.sweeps, cfg.threshold)


def choose(pools: tf.Tensor, layout: Layout, cfg: SynapticSettings, seed: tf.Tensor, greedy: bool) -> tf.Tensor:
    """Returns one output a block: int32 `[G, B]`.

    By softmax(p / T) (its mode if greedy); without competition the fullest pool, ties by lot.

    Args:
      pools: `[O, B]`.
      layout: Numbers of units.
      cfg: Settings.
      seed: int32 `[2]`.
      greedy: Whether to sample.
    """
    noise = tf.random.stateless_uniform(tf.shape(pools), seed, 1e-6, 1.0)
    if not cfg.switches.competition:
        scores = pools + 1e-6 * noise
    elif greedy:
        scores = pools
    else:
        scores = pools / cfg.temperature - tf.math.log(-tf.math.log(noise))  # Gumbel
    parts = tf.split(scores, layout.blocks, axis=0)
    return tf.stack([tf.argmax(part, axis=0, output_type=tf.int32) for part in parts])


def remember(
    edges: Edges,
    traces: Traces,
    activity: synapse.Activity,
    inputs: tf.Tensor,
    choice: tf.Tensor,
    asked: tf.Tensor,
    layout: Layout,
    cfg: SynapticSettings,
) -> tuple[Traces, tf.Tensor]:
    """Returns the traces after a decision, and each edge's eligibility `[E, B]`."""
    rule, decay = cfg.switches, cfg.gamma * cfg.trace_decay
    answer = synapse.one_hot(choice, layout)
    if rule.surprise:
        answer -= synapse.preferences(synapse.outputs_of(activity, layout), layout, cfg.temperature)
    found = synapse.feedback(edges, activity, answer * asked, layout, cfg.sweeps, cfg.threshold)
    values = decay * traces.values + inputs
    if rule.eligibility:
        done = synapse.drive(edges, activity, found, layout, rule.normalised)
        kept = decay * traces.edges + done
        return Traces(kept, values), kept
    sent = tf.gather(activity.units, edges.source) * edges.alive[:, None]
    kept = _ACTIVATION_DECAY * traces.edges + sent
    return Traces(kept, values), kept * tf.gather(found, edges.target)


def learn(
    plastic: Plastic, traces: Traces, move: Move, layout: Layout, cfg: SynapticSettings, choose_too: bool = True
) -> tuple[Plastic, Traces, tf.Tensor]:
    """Learns from one move.

    Args:
      plastic: Before it.
      traces: Before its decision.
      move: What was recorded.
      layout: Numbers of units.
      cfg: Settings.
      choose_too: Move the weights, not the critic alone.

    Returns:
      Both after it, and the signal (TD error, or reward) `[B]`.
    """
    fresh = 1.0 - move.first
    traces = Traces(traces.edges * fresh, traces.values * fresh)
    edges = plastic.edges
    activity = pools_of(edges, move.inputs, layout, cfg)
    traces, eligible = remember(edges, traces, activity, move.inputs, move.choice, move.asked, layout, cfg)
    value = tf.linalg.matvec(move.inputs, plastic.values, transpose_a=True)
    next_value = tf.linalg.matvec(move.next_inputs, plastic.values, transpose_a=True)
    reward = cfg.scale * move.reward
    if cfg.novelty:
        reward += cfg.novelty * synapse.novelty(plastic.visits, move.next_inputs)
    delta = synapse.dopamine(reward, move.discount, value, next_value, cfg.gamma)
    values = synapse.critic_step(plastic.values, traces.values, move.inputs, delta, move.valid, cfg.value_rate)
    signal = delta if cfg.switches.dopamine else reward
    if choose_too:
        edges = _strengthen(edges, synapse.row_mean(eligible * signal * move.valid, move.valid), cfg)
    visits = plastic.visits + tf.reduce_sum(move.inputs * move.valid, axis=1)
    return plastic._replace(edges=edges, values=values, visits=visits), traces, signal * move.valid


def _strengthen(edges: Edges, feedback: tf.Tensor, cfg: SynapticSettings) -> Edges:
    """Returns the edges after `feedback` `[E]`, signal times eligibility."""
    scale = synapse.step_scale(edges, cfg.boost, cfg.protection) if cfg.boost or cfg.protection else 1.0
    moved = synapse.strengthened(edges.weight, cfg.rate * scale * feedback, cfg.floor, cfg.additive, cfg.largest)
    touched = tf.cast(tf.not_equal(feedback, 0.0), tf.float32)
    favour = edges.favour + _FAVOUR_RATE * touched * (tf.sign(feedback) - edges.favour)
    return edges._replace(weight=moved * edges.alive, seen=edges.seen + touched, favour=favour)


def rewire(
    plastic: Plastic, episodes: tf.Tensor, seed: tf.Tensor, layout: Layout, cfg: SynapticSettings
) -> tuple[Plastic, tf.Tensor]:
    """Changes the structure at the end of an episode: subtract, prune, mega-prune, grow.

    While a lesion is open, births are strong and many; else weak and few: a strong newborn
    disturbs what works, a weak one takes long to replace what is lost.

    Args:
      plastic: Before.
      episodes: int32 scalar, how many ended at once.
      seed: int32 `[2]`.
      layout: Numbers of units.
      cfg: Settings.

    Returns:
      It after, and 1 `[E]` for slots whose edge lives on: traces of the others are void.
    """
    edges = plastic.edges
    edges = edges._replace(age=edges.age + tf.cast(edges.alive, tf.int32) * episodes)
    if cfg.sibling:
        edges = edges._replace(weight=rewiring.sibling_subtraction(edges, layout, cfg.sibling, cfg.grace))
    edges = rewiring.killed(edges, rewiring.weak(edges, cfg.prune, cfg.grace))
    found = rewiring.reach(edges, layout, layout.hidden + 1)
    edges = rewiring.killed(edges, rewiring.off_path(edges, found, cfg.grace))
    found = rewiring.reach(edges, layout, layout.hidden + 1)
    lived = edges.alive
    wounded = plastic.wounds > 0.5
    mending = tf.minimum(tf.cast(cfg.repair_grow, tf.float32), plastic.wounds)
    most = tf.where(wounded, tf.cast(mending, tf.int32), cfg.grow)
    weight = tf.where(wounded, cfg.repair_weight, cfg.newborn)
    edges = rewiring.grown(edges, layout, found, most, weight, seed)
    born = tf.reduce_sum(edges.alive) - tf.reduce_sum(lived)
    # A lesion that finds no room for births is closed: later ones are of the common kind.
    wounds = tf.where(born > 0.5, tf.maximum(0.0, plastic.wounds - born), 0.0)
    return plastic._replace(edges=edges, wounds=wounds), lived


def learn_all(
    plastic: Plastic,
    traces: Traces,
    moves: Move,
    seed: Optional[tf.Tensor],
    layout: Layout,
    cfg: SynapticSettings,
    choose_too: bool = True,
) -> tuple[Plastic, tf.Tensor]:
    """Learns from moves in their order.

    Args:
      plastic: Before them.
      traces: Before the first.
      moves: Time-major, `[T, ...]` each.
      seed: int32 `[2]` of growth; None leaves the structure alone.
      layout: Numbers of units.
      cfg: Settings.
      choose_too: Move the weights, not the critic alone.

    Returns:
      It after, and the sum of absolute signals `[B]`.
    """

    def body(t: tf.Tensor, plastic: Plastic, traces: Traces, total: tf.Tensor) -> tuple:
        move = tf.nest.map_structure(lambda x: x[t], moves)
        plastic, traces, signal = learn(plastic, traces, move, layout, cfg, choose_too)
        if seed is not None:
            episodes = tf.cast(tf.reduce_sum(move.ended), tf.int32)
            one = tf.random.experimental.stateless_fold_in(seed, t)
            plastic, lived = tf.cond(
                episodes > 0,
                lambda: rewire(plastic, episodes, one, layout, cfg),
                lambda: (plastic, plastic.edges.alive),
            )
            traces = traces._replace(edges=traces.edges * lived[:, None])
        return t + 1, plastic, traces, total + tf.abs(signal)

    count = moves.reward.shape[0]
    state = (tf.constant(0), plastic, traces, tf.zeros_like(moves.reward[0]))
    if count == 1:
        _, plastic, _, total = body(*state)
        return plastic, total
    limit = tf.shape(moves.reward)[0]
    _, plastic, _, total = tf.while_loop(lambda t, *_: t < limit, body, state)
    return plastic, total
