"""The last tick's words as a guess at this tick's: verified in one reading instead of said again one by one.

A token is a function of its logits, the seed, its step and its sample, so verifying is drawing it again: where draft
and draw agree the token stands, and the first draw that differs is what would have been said. The words are therefore
the ones that would have been said without a draft, greedy or sampled.
"""

from __future__ import annotations

from collections.abc import Sequence

from alpamayo_ros.vla.outcome import Rollout


def of(result: Rollout) -> tuple[int, ...]:
    """The words of a tick of one sample up to its stop; nothing where it had several, or no stop."""
    if len(result.tokens) != 1 or result.stops[0] < 0:
        return ()
    return tuple(int(token) for token in result.tokens[0, : result.counts[0]])


def agreed(drawn: Sequence[int], draft: Sequence[int]) -> int:
    """How many of a draft's first tokens are the drawn ones."""
    return next((k for k, (a, b) in enumerate(zip(drawn, draft, strict=False)) if a != b), len(draft))
