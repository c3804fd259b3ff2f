"""Frequency tables from what a trained model really says on training crops."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glassplate.codecs.hyperprior.latents import Quantizer, TileNets, encode_tile
from glassplate.codecs.hyperprior.network.model import Hyperprior
from glassplate.codecs.hyperprior.network.order import STEPS, gather
from glassplate.codecs.hyperprior.network.scale_net import SCALES, scale_table
from glassplate.codecs.hyperprior.parsing.integer_net import IntegerScaleNet
from glassplate.codecs.hyperprior.parsing.tables import FrequencyTable, quantize
from glassplate.codecs.hyperprior.weights import Tables, integer_arrays
from glassplate.codecs.layers.rate_blocks import QUALITY_STEPS

PRIOR_WEIGHT = 200.0
"""A table starts as this many symbols of the logistic law that training assumed."""
TAIL = 14.0
"""Tables reach this many scales from zero; beyond lies the escape."""
Z_REACH = 31
LARGEST_REACH = 1023


class Histogram:
    """Symbols counted by scale index, and of z by rate node and channel."""

    def __init__(self, nodes: int, z: int) -> None:
        self.y = [np.zeros(2 * LARGEST_REACH + 1, np.int64) for _ in range(SCALES)]
        self.z = np.zeros((nodes, z, 2 * Z_REACH + 1), np.int64)

    def add_y(self, symbols: npt.NDArray[np.int16], indices: npt.NDArray[np.uint8]) -> None:
        """Count the symbols of one step."""
        for index in np.unique(indices):
            part = np.clip(symbols[indices == index], -LARGEST_REACH, LARGEST_REACH)
            self.y[index] += np.bincount(part + LARGEST_REACH, minlength=2 * LARGEST_REACH + 1)

    def add_z(self, z: npt.NDArray[np.int16], node: int) -> None:
        """Count the z of one tile, (Z, h, w)."""
        for channel, values in enumerate(np.clip(z, -Z_REACH, Z_REACH) + Z_REACH):
            self.z[node, channel] += np.bincount(values.ravel(), minlength=2 * Z_REACH + 1)


@torch.no_grad()
def calibrate(model: Hyperprior, crops: Tensor, rounds: int = 2) -> tuple[Tables, list[Tables]]:
    """Tables of y and z for a model, from (N, 3, H, W) crops in [0, 1].

    The encoder's rounding depends on the tables, so they are found in rounds, starting from the
    logistic law.
    """
    nodes = model.config.nodes
    scales = IntegerScaleNet(integer_arrays(model.scales))
    y_tables = y_tables_from(Histogram(nodes, model.config.z))
    for _ in range(rounds):
        quantizer = Quantizer([FrequencyTable(table) for table in y_tables])
        histogram = Histogram(nodes, model.config.z)
        for number, crop in enumerate(crops):
            node = number % nodes
            quality = node * QUALITY_STEPS // (nodes - 1)
            level = torch.tensor([quality])
            y = model.analysis(crop[None], level) * model.gain(level)
            tile, indices = encode_tile(TileNets(model, quality), scales, quantizer, y)
            histogram.add_z(tile.z, node)
            for step in range(STEPS):
                histogram.add_y(gather(tile.y, step), indices[step])
        y_tables = y_tables_from(histogram)
    return y_tables, z_tables_from(histogram, model)


def y_tables_from(histogram: Histogram) -> Tables:
    """Counts, made symmetric, on top of the logistic law."""
    tables = []
    for count, scale in zip(histogram.y, scale_table().tolist(), strict=True):
        reach = min(LARGEST_REACH, max(2, math.ceil(TAIL * scale)))
        middle = count[LARGEST_REACH - reach : LARGEST_REACH + reach + 1]
        weights = PRIOR_WEIGHT * _logistic(reach, 0.0, scale) + (middle + middle[::-1]) / 2
        beyond = float(count.sum() - middle.sum())
        tables.append(quantize(np.append(weights, beyond + PRIOR_WEIGHT * 1e-5)))
    return tables


def z_tables_from(histogram: Histogram, model: Hyperprior) -> list[Tables]:
    """Counts of a node and its neighbours, on top of the logistic law that training fitted."""
    location = model.z_location.tolist()
    scale = model.z_log_scale.exp().clamp(min=0.05).tolist()
    nodes = []
    for node in range(model.config.nodes):
        near = histogram.z[max(0, node - 1) : node + 2].sum(0)
        tables = [
            quantize(np.append(0.3 * PRIOR_WEIGHT * _logistic(Z_REACH, loc, s) + count, 1e-3))
            for count, loc, s in zip(near, location[node], scale[node], strict=True)
        ]
        nodes.append(tables)
    return nodes


def _logistic(reach: int, location: float, scale: float) -> npt.NDArray[np.float64]:
    """Probabilities of -reach..reach under a rounded logistic law, none of them zero."""
    edges = (np.arange(-reach, reach + 2) - 0.5 - location) / scale
    above = 1 / (1 + np.exp(np.clip(edges, -500, 500)))
    below = 1 / (1 + np.exp(np.clip(-edges, -500, 500)))
    # The smaller of both tails keeps its digits.
    inside: npt.NDArray[np.float64] = np.where(
        edges[:-1] > 0, above[:-1] - above[1:], below[1:] - below[:-1]
    )
    return np.maximum(inside, 1e-9)
