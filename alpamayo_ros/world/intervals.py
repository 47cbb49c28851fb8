"""Numbers with 95 % intervals over episodes: Wilson's for shares of episodes, the bootstrap for ratios of sums.

The bootstrap draws whole episodes again, as the ticks of one drive are not independent; the same values and seed
give the same interval. Wilson's score interval is honest also where a thing happened in no episode at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000

Number = dict[str, float | None]  # {"value", "low", "high"}; None where there is nothing to count
NOTHING: Number = {"value": None, "low": None, "high": None}


def resamples(count: int, seed: int) -> np.ndarray:
    """(RESAMPLES, count): how often each episode is drawn in each resample."""
    return np.random.default_rng([seed, count]).multinomial(count, np.full(count, 1.0 / count), RESAMPLES)


def interval(value: float, drawn: np.ndarray) -> Number:
    """The value with the percentiles of what the resamples gave; resamples without a value do not count."""
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    return {"value": float(value), "low": float(low), "high": float(high)}


def ratio(weights: np.ndarray, above: Sequence[float], below: Sequence[float]) -> Number:
    """The sum of `above` over the sum of `below`, one of each an episode."""
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    if bottom.sum() == 0:
        return NOTHING
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(top.sum() / bottom.sum(), (weights @ top) / (weights @ bottom))


def share(happened: Sequence[bool]) -> Number:
    """A share of episodes with its score interval (Wilson 1927)."""
    n, p, z = len(happened), float(np.mean(happened)), 1.96
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return {"value": p, "low": float(max(centre - half, 0.0)), "high": float(min(centre + half, 1.0))}
