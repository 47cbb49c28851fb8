import numpy as np
import pytest

from alpamayo_ros.world.judge import overlap
from alpamayo_ros.world.render.paint_order import paint_order
from alpamayo_ros.world.state import Body, footprint


def boxes(seed: int, count: int = 14) -> np.ndarray:
    """Disjoint boxes of very different shapes around a crossroads of sight lines."""
    rng = np.random.default_rng(seed)
    placed: list[np.ndarray] = []
    while len(placed) < count:
        body = Body(rng.uniform(0.3, 12.0), rng.uniform(0.3, 2.5), 1.0)
        box = footprint(*rng.uniform(-18, 18, 2) + [30.0, 0.0], rng.uniform(-3, 3), body)
        if not any(overlap(box, other) for other in placed):
            placed.append(box)
    return np.array(placed)


def entry(eye: np.ndarray, direction: np.ndarray, box: np.ndarray) -> float:
    """How far along a ray a box begins; infinity where it is missed."""
    hits = []
    for start, end in zip(box, np.roll(box, -1, axis=0), strict=True):
        edge = end - start
        cross = direction[0] * edge[1] - direction[1] * edge[0]
        if abs(cross) > 1e-9:
            offset = start - eye
            along = (offset[0] * edge[1] - offset[1] * edge[0]) / cross
            share = (offset[0] * direction[1] - offset[1] * direction[0]) / cross
            if along > 0 and 0 <= share <= 1:
                hits.append(along)
    return min(hits, default=np.inf)


@pytest.mark.parametrize("seed", range(12))
def test_along_every_ray_nearer_things_are_painted_later(seed):
    eye = np.array([0.0, 0.0])
    placed = boxes(seed)
    rank = {item: place for place, item in enumerate(paint_order(eye, placed))}
    wrong = 0
    for angle in np.linspace(-0.7, 0.7, 300):
        direction = np.array([np.cos(angle), np.sin(angle)])
        hits = sorted((entry(eye, direction, box), index) for index, box in enumerate(placed))
        seen = [index for distance, index in hits if np.isfinite(distance)]
        wrong += sum(rank[near] < rank[far] for near, far in zip(seen, seen[1:], strict=False))
    assert wrong == 0


def test_every_thing_is_painted_once():
    assert sorted(paint_order(np.zeros(2), boxes(3))) == list(range(14))


def test_nothing_has_an_order():
    assert paint_order(np.zeros(2), np.zeros((0, 4, 2))) == []
