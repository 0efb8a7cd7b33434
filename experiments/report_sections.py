"""The sections of a report: what each says, shows, and admits not to know."""
from __future__ import annotations

from typing import Callable, Mapping, Optional, Sequence

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.trajectories import trajectory as trajectory_lib

from experiments import forage_pictures, plotting, report_imagining, report_plots, report_values, results, tasks
from experiments.finished_runs import Run
from experiments.node_summaries import branches
from experiments.report_ages import Ages
from experiments.report_page import Page
from experiments.report_trial import Episode
from experiments.run_config import RunConfig
from infonodes import drawing
from infonodes.agent import InfoNodeAgent
from infonodes.info_nodes.pred_node import PredNode
from infonodes.info_nodes.reward_node import RewardNode

# The sections every report has, whatever the agent; a test looks for them.
ANCHORS = ("learning", "nodes", "energy", "imagination", "values", "priorities", "greedy", "configuration")
_TITLES = dict(zip(ANCHORS, (
    "Learning curve", "Nodes and costs", "Energy", "Imagined against real", "Value against return",
    "Priority against age", "A greedy episode", "Configuration and versions",
)))


def learning(page: Page, runs: Sequence[Run], step: int) -> None:
    """Adds the learning curve: of one run, or with the interval of several.

    Args:
      page: Where to.
      runs: One a seed.
      step: Of the first run's checkpoint.
    """
    _begin(page, "learning")
    first = runs[0]
    title = f"{first.config.preset} on {first.config.env}"
    draw = lambda stream: plotting.learning_curve(first.episodes, first.evaluations, stream, title)
    page.text(
        f"Last evaluation, after {first.evaluations[-1][0]} steps: {first.means[-1][1]:.4g} over "
        f"{len(first.evaluations[-1][1])} episodes. What follows is of the checkpoint at step {step}."
    )
    if len(runs) > 1:
        by_seed = {run.config.seed: run.means for run in runs}
        summary = results.summarise(by_seed)
        page.text(
            f"{len(runs)} seeds: final return {summary.middle:.4g} (interquartile mean of the last {results.LAST} "
            f"evaluations), 95 % bootstrap interval {summary.low:.4g} to {summary.high:.4g}; worst {summary.worst:.4g}."
        )
        curve = {f"{len(runs)} seeds": results.curve(by_seed)}
        together = report_plots.png(lambda stream: plotting.curves(curve, stream, title))
        page.picture(together, "interquartile mean over seeds, 95 % bootstrap interval, where all seeds evaluated")
    else:
        page.note("One seed: no interval. Give the folders of runs with other seeds to see how far they differ.")
    page.picture(report_plots.png(draw), f"seed {first.config.seed}: greedy evaluations, training episodes")


def nodes(page: Page, agent: InfoNodeAgent, costs: Mapping[str, float], steps: int) -> None:
    """Adds the graph with its costs, and the reward tree.

    Args:
      page: Where to.
      agent: Whose.
      costs: Mean a tick by node name.
      steps: That they are the mean of.
    """
    _begin(page, "nodes")
    graph = report_plots.png(lambda stream: drawing.save_png(agent.graph, stream, costs))
    page.picture(graph, f"the graph; costs are means over {steps} steps of the collect policy, from white (0) to red")
    found = branches(agent.cost_tree, costs)
    total = sum(branch.reward for branch in found)
    page.text(f"The intrinsic reward of a tick is minus the weighted sum of the nodes' costs: {total:.4g}.")
    page.picture(report_plots.tree(found), "the reward tree: each node's part")
    rows = [(b.name, type(agent.graph[b.name]).__name__, b.weight, b.cost, b.reward) for b in found]
    page.table(("node", "type", "weight", "cost", "reward"), rows)
    page.code(agent.graph.draw("text", costs))


def energy(page: Page, episode: Episode) -> None:
    """Adds the flows of a body's energy."""
    _begin(page, "energy")
    if episode.flows is None:
        page.note("The graph has no organs: there is no body whose energy could flow.")
        return
    flows = episode.flows
    caption = "energy of the greedy episode: stored, spent, lost and owed, against what it began with and gained"
    page.picture(report_plots.png(lambda stream: forage_pictures.energy(flows, stream)), caption)
    sums = [(name, float(flows[name].sum())) for name in ("gained", "spent", "lost")]
    sums += [(f"{name} at the end", float(flows[name][-1])) for name in ("stored", "owed")]
    page.table(("flow", "energy in all"), sums)


def imagination(page: Page, agent: InfoNodeAgent, frames: Sequence[trajectory_lib.Trajectory], horizon: int) -> None:
    """Adds each PredNode's rollouts against what came.

    Args:
      page: Where to.
      agent: Whose.
      frames: Of its collect policy, in order.
      horizon: Predictions ahead, at most.
    """
    _begin(page, "imagination")
    predictors = [node for node in agent.graph.nodes if isinstance(node, PredNode)]
    if not predictors:
        page.note("The graph has no PredNode: nothing in it imagines.")
    for node in predictors:
        found = report_imagining.foresee(agent, node, frames, horizon)
        if found is None:
            page.note(f"{node.name}: no episode of {len(frames)} frames is as long as one prediction.")
            continue
        page.text(
            f"{node.name}: f_pred is rolled out from {found.windows} real latents along the controls that were really "
            f"done, up to {found.ticks[-1]} ticks ahead. An error of 1 is as good as always guessing the mean."
        )
        latent = [name for name in node.control_names if agent.graph[name].is_latent]
        if latent:
            page.note(f"What {latent} did is the latent that was reached: the rollout is told where they went.")
        page.picture(report_plots.foresight(found), f"{node.name}: error of imagined ticks by how far ahead they lie")
        if found.observed is None:
            page.note("The node has no decoder, and too few frames to fit a readout: compared in latent space alone.")
            continue
        page.note(
            "The node has no decoder. Observations are read from its latents by a linear map, fitted to the real "
            "latents of the first half of the frames and judged on the second; the readout line is its error "
            "on real latents."
        )
        page.picture(report_plots.example(found), f"{node.name}: one rollout, the most varied features observed")


def values(
    page: Page, agent: InfoNodeAgent, make_env: Callable[[], py_environment.PyEnvironment], seed: int, ticks: int
) -> None:
    """Adds each RewardNode's values against the returns of the greedy policy, on its path and off it.

    Args:
      page: Where to.
      agent: Whose.
      make_env: Returns an environment without batch dimension.
      seed: Of the episodes' starts.
      ticks: Greedy ticks, at most.
    """
    _begin(page, "values")
    valuing = [node for node in agent.graph.nodes if isinstance(node, RewardNode)]
    if not valuing:
        page.note("The graph has no RewardNode: nothing in it values what it can reach.")
        return
    played = [agent.perceive(batch) for batch in report_values.play(agent, make_env, seed, ticks)]
    page.text(
        f"Greedy episodes after {', '.join(map(str, report_values.LEADS))} random moves. A return is normalised as "
        "values are, (1 - γ) Σ γ^k r; where an episode is cut, the value there stands for the rest, of at most "
        "a tenth of the weight."
    )
    for node in valuing:
        judged = report_values.judge(node, [experiences[node.name] for experiences in played])
        if not len(judged.value):
            page.note(f"{node.name}: no return is whole in {ticks} ticks at γ = {node.gamma:.4g}: play more (--ticks).")
            continue
        page.picture(report_plots.values(judged), f"{node.name}: values against the returns that followed")
        kinds = (("greedy moves", False), ("random moves", True))
        rows = [(name, *report_values.fit(judged, off_path)) for name, off_path in kinds]
        page.table(("after", "frames", "value - return", "rms", "correlation"), rows)
        if node.settings.bootstrap == "reached":
            page.note(
                f"{node.name} values what the policies in its replay got, random moves among them (reward.bootstrap is "
                "'reached'): it is to lie below the greedy policy's returns."
            )


def priorities(page: Page, found: Optional[Ages], config: RunConfig) -> None:
    """Adds priorities by age.

    Args:
      page: Where to.
      found: None for an agent that learns in order.
      config: Of the run.
    """
    _begin(page, "priorities")
    if found is None:
        page.note(f"Preset {config.preset!r} learns from each window once, in order: there are no priorities.")
        return
    again = int(np.isfinite(found.assessed).sum())
    page.note(
        "The run's own replay is not in its folder. This one was filled anew by the checkpoint's collect policy, with "
        "the run's settings, and drawn from as training does, without learning; each frame carried the step at which "
        f"it was written. Of {found.windows} windows {len(found.age)} were drawn, {again} seen with a new priority."
    )
    page.picture(report_plots.ages(found), "priority of each window that was drawn, by its age")


def stock(page: Page) -> None:
    """Adds, in place of all that nodes have, that there are none."""
    for anchor in ("nodes", "energy", "imagination", "values", "priorities"):
        _begin(page, anchor)
        page.note("TF-Agents' own agent has no nodes.")


def greedy(page: Page, episode: Episode, env: str) -> None:
    """Adds the greedy episode: a film where the environment can be drawn, and its course.

    Args:
      page: Where to.
      episode: The episode.
      env: Name of the environment.
    """
    _begin(page, "greedy")
    how = "to its end" if episode.ended else "cut before its end"
    page.text(f"{len(episode.rewards)} ticks ({how}), return {episode.rewards.sum():.4g}.")
    if episode.pictures:
        page.picture(report_plots.film(episode.pictures), "film of the greedy episode")
    elif episode.places is not None:
        page.picture(report_plots.forage_film(episode, tasks.FORAGE[env]), "film of the greedy episode")
    else:
        page.note(f"{env} does not draw itself (render('rgb_array')): no film.")
    page.picture(report_plots.timeline(episode), "what the episode saw, got, and cost")


def configuration(page: Page, run: Run) -> None:
    """Adds what was asked, and with which versions."""
    _begin(page, "configuration")
    asked = {k: v for k, v in run.config.to_json().items() if k not in ("out", "settings", "replay")}
    page.settings({**asked, "settings": run.config.resolved()})
    versions = run.versions()
    page.table(("what", "version"), sorted(versions.items()))
    if not versions:
        page.note("The run wrote no versions.json.")


def _begin(page: Page, anchor: str) -> None:
    page.section(anchor, _TITLES[anchor])
