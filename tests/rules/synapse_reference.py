"""The rules once more, edge by edge in numpy: what the TensorFlow code is compared with."""
from __future__ import annotations

import numpy as np

F = np.float32


class Reference:
    """One row (no batch), plain loops, written from the formulas in docs/nodes/synaptic.md."""

    def __init__(self, edges, layout, cfg):
        self.source, self.target = (np.array(edges[k]) for k in (0, 1))
        self.weight, self.alive = np.array(edges[2], F), np.array(edges[3], F)
        self.layout, self.cfg = layout, cfg
        self.values = np.zeros(layout.inputs, F)
        self.trace = np.zeros(len(self.weight), F)
        self.critic_trace = np.zeros(layout.inputs, F)

    def forward(self, inputs):
        cfg, n, first = self.cfg, self.layout.units, self.layout.inputs
        last = first + self.layout.hidden
        hidden = np.zeros(last - first, F)
        for _ in range(cfg.sweeps if self.layout.hidden else 1):
            units = np.concatenate([inputs, hidden, np.zeros(n - last, F)]).astype(F)
            pools = np.zeros(n, F)
            for k in range(len(self.weight)):
                if self.alive[k]:
                    pools[self.target[k]] += self.weight[k] * units[self.source[k]]
            hidden = (pools[first:last] > cfg.threshold).astype(F)
        return units, pools

    def policy(self, pools):
        parts, start = [], self.layout.inputs + self.layout.hidden
        for width in self.layout.blocks:
            p = np.exp((pools[start : start + width] - pools[start : start + width].max()) / self.cfg.temperature)
            parts.append(p / p.sum())
            start += width
        return np.concatenate(parts)

    def back(self, pools, out):
        first, last = self.layout.inputs, self.layout.inputs + self.layout.hidden
        found = np.zeros(self.layout.units, F)
        found[last:] = out
        slope = np.maximum(0, 1 - np.abs(pools[first:last] - self.cfg.threshold))
        for _ in range(max(self.cfg.sweeps - 1, 1) if self.layout.hidden else 0):
            back = np.zeros_like(found)
            for k in range(len(self.weight)):
                if self.alive[k]:
                    back[self.source[k]] += self.weight[k] * found[self.target[k]]
            found[first:last] = slope * back[first:last]
        return found

    def step(self, inputs, next_inputs, choice, reward, discount, first):
        cfg, rule = self.cfg, self.cfg.switches
        if first:
            self.trace[:] = 0
            self.critic_trace[:] = 0
        units, pools = self.forward(inputs)
        out = np.concatenate([np.eye(w, dtype=F)[c] for w, c in zip(self.layout.blocks, choice)])
        if rule.surprise:
            out = out - self.policy(pools)
        found = self.back(pools, out)
        norm = np.ones(self.layout.units, F)
        if rule.normalised:
            squares = np.zeros(self.layout.units, F)
            for k in range(len(self.weight)):
                squares[self.target[k]] += self.alive[k] * units[self.source[k]] ** 2
            norm = np.maximum(1, squares)
        eligible = np.zeros_like(self.trace)
        for k in range(len(self.weight)):
            sent, g = self.alive[k] * units[self.source[k]], found[self.target[k]] / norm[self.target[k]]
            if rule.eligibility:
                self.trace[k] = cfg.gamma * cfg.trace_decay * self.trace[k] + sent * g
                eligible[k] = self.trace[k]
            else:
                self.trace[k] = 0.5 * self.trace[k] + sent
                eligible[k] = self.trace[k] * found[self.target[k]]
        paid = cfg.scale * reward
        delta = paid + cfg.gamma * discount * (self.values @ next_inputs) - self.values @ inputs
        self.critic_trace = cfg.gamma * cfg.trace_decay * self.critic_trace + inputs
        self.values = self.values + cfg.value_rate * delta / max(1, (inputs**2).sum()) * self.critic_trace
        x = cfg.rate * (delta if rule.dopamine else paid) * eligible
        moved = self.weight + x if cfg.additive else self.weight + (self.weight + cfg.floor) * np.tanh(x)
        self.weight = (self.alive * np.clip(moved, 0, cfg.largest)).astype(F)
