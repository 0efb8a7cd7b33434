"""The networks of a PredNode: those it is given, checked, or the default ones."""
from __future__ import annotations

from typing import Callable, Optional

import tensorflow as tf

from infonodes.info_nodes import acting
from infonodes.info_nodes.info_node import InfoNode
from infonodes.info_nodes.pred_settings import PredSettings
from infonodes.networks.gated import Gated
from infonodes.networks.mlp import MLP
from infonodes.networks.residual import Residual
from infonodes.networks.slow import Slow
from infonodes.types import GraphError

Network = Callable[..., tf.Tensor]


def encoder(name: str, cfg: PredSettings, width: int, recurrent: bool, given: Optional[Network]) -> Slow:
    """Returns `f_abs` and its slow copy: inputs of `width` features, and z if recurrent, to z.

    Raises:
      GraphError: if what is given returns other than `latent_size` features.
    """
    size, network = cfg.latent_size, given
    if network is None:
        # A softmax of small numbers is flat: start it sharp enough to tell inputs apart.
        sharp = 3.0 if cfg.norm == "simnorm" else 1.0
        if recurrent:
            network = Gated(cfg.hidden, size, cfg.norm, sharp, name="f_abs")
        else:
            network = MLP(cfg.hidden, size, False, cfg.norm, sharp, name="f_abs")
    example = (tf.zeros([1, width]), tf.zeros([1, size]))[: 2 if recurrent else 1]
    f_abs = Slow(network, cfg.slow_rate, *example)
    check_width(name, "f_abs", f_abs(*example), cfg)
    return f_abs


def predictor(name: str, cfg: PredSettings, option_size: int, given: Optional[Network]) -> Slow:
    """Returns `f_pred` and its slow copy: z and joined controls to the next z.

    Raises:
      GraphError: if what is given returns other than `latent_size` features.
    """
    network = given
    if network is None and cfg.residual:
        change = MLP(cfg.hidden, cfg.latent_size, normalise=False, output_scale=0.1, name="f_pred")
        network = Residual(change, cfg.norm)
    elif network is None:
        network = MLP(cfg.hidden, cfg.latent_size, normalise=False, output=cfg.norm, name="f_pred")
    example = (tf.zeros([1, cfg.latent_size]), tf.zeros([1, option_size]))
    f_pred = Slow(network, cfg.slow_rate, *example)
    check_width(name, "f_pred", f_pred(*example), cfg)
    return f_pred


def acts(
    cfg: PredSettings, controls: list[InfoNode], given: Optional[acting.Act]
) -> tuple[Optional[acting.Act], Optional[acting.InverseAct]]:
    """Returns `f_act`, and the act that learns in hindsight: `f_act` itself, one beside it, or None."""
    if not controls:
        return given, None
    f_act = acting.make_act(cfg.f_act, controls, cfg.latent_size, cfg.hidden) if given is None else given
    if isinstance(f_act, acting.InverseAct):
        return f_act, f_act
    beside = acting.InverseAct(controls, cfg.latent_size, cfg.hidden) if cfg.inverse_weight else None
    return f_act, beside


def check_width(name: str, which: str, out: tf.Tensor, cfg: PredSettings) -> None:
    """Checks what a network of node `name` returned.

    Raises:
      GraphError: if it has other than `latent_size` features.
    """
    if out.shape[-1] != cfg.latent_size:
        raise GraphError(
            f"node {name!r}: {which} returns {out.shape[-1]} features, expected latent_size="
            f"{cfg.latent_size}; change the layer or the setting"
        )
