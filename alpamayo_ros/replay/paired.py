"""Two replays over the same ticks: differences, their intervals, and whether chance alone would give them.

Plans of neighbouring ticks share most of their future, so ticks are no independent numbers. What is drawn again, and
what is tested, are blocks: whole bags where there are enough of them, else stretches of 6.4 s of a bag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Bags from which on whole bags are the blocks.
ENOUGH_BAGS = 8
# Blocks below which no test is made: with five, no two-sided sign-flip test can reach 0.05.
FEWEST_BLOCKS = 6
BLOCK_NS = 6_400_000_000
RESAMPLES, FLIPS = 2000, 20_000


@dataclass(frozen=True)
class Difference:
    """One number of A and B over the ticks that both have it for.

    Attributes:
        a, b: means; difference: b - a, low, high: its 95 % interval (block bootstrap, percentiles).
        p: of a two-sided sign-flip test over blocks; None where there are too few of them.
        p_holm: the same, corrected for all the numbers that are compared at once (Holm 1979).
        differs: at one tick at least.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    ticks: int
    blocks: int
    p: float | None
    p_holm: float | None = None
    differs: bool = True


def blocks(bags: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], int]:
    """(bag, t0) -> its block's number. `bags` are the ticks of each bag."""
    whole = len(bags) >= ENOUGH_BAGS
    numbers: dict[tuple[str, int], int] = {}
    found: dict[tuple[str, int], int] = {}
    for bag, stamps in sorted(bags.items()):
        for t0 in stamps:
            key = (bag, 0 if whole else (t0 - min(stamps)) // BLOCK_NS)
            found[bag, t0] = numbers.setdefault(key, len(numbers))
    return found


def difference(a: np.ndarray, b: np.ndarray, block: np.ndarray, seed: int = 0) -> Difference:
    """(N,) numbers of each replay at N ticks, and each tick's block."""
    names, index = np.unique(block, return_inverse=True)
    sums = np.bincount(index, weights=b - a, minlength=len(names))
    sizes = np.bincount(index, minlength=len(names)).astype(np.float64)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), RESAMPLES)
    drawn = (weights @ sums) / (weights @ sizes)
    low, high = np.quantile(drawn, [0.025, 0.975])
    p = sign_flip(sums, rng) if len(names) >= FEWEST_BLOCKS else None
    return Difference(
        float(a.mean()), float(b.mean()), float((b - a).mean()), float(low), float(high), len(a), len(names), p,
        differs=bool((a != b).any()),
    )  # fmt: skip


def sign_flip(sums: np.ndarray, rng: np.random.Generator) -> float:
    """How often blocks of these sums with signs of chance are as far from zero as they are: exact up to 14 blocks."""
    observed = abs(sums.sum())
    if len(sums) <= 14:
        signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
        return float(np.mean(np.abs(signs @ sums) >= observed - 1e-12))
    signs = rng.choice([-1.0, 1.0], (FLIPS, len(sums)))
    return float((1 + np.sum(np.abs(signs @ sums) >= observed - 1e-12)) / (1 + FLIPS))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction."""
    corrected, least = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = least
    return corrected
