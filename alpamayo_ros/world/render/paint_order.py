"""The painter's order of upright things on the ground, exact for convex footprints that do not overlap.

Two such footprints always have an edge of one of them with the other beyond it; on which side of that edge the eye
is says which of the two cannot hide the other.
"""

from __future__ import annotations

import numpy as np

EXACT_WITHIN = 70.0  # metres; beyond, things are ordered by their distance alone


def paint_order(eye: np.ndarray, footprints: np.ndarray) -> list[int]:
    """The order, first to paint first, of N things seen from `eye`.

    Args:
        eye: (2,) the camera's place on the ground.
        footprints: (N, 4, 2) corners, counter-clockwise.
    """
    distance = np.hypot(*np.moveaxis(footprints.mean(axis=1) - eye, -1, 0))
    by_distance = np.argsort(-distance, kind="stable")
    far = int(np.sum(distance > EXACT_WITHIN))
    near = by_distance[far:]
    first = _must_precede(eye, footprints[near])
    if np.any(np.tril(first, -1)):
        near = near[_sorted(first)]
    return [*by_distance[:far].tolist(), *near.tolist()]


def _must_precede(eye: np.ndarray, footprints: np.ndarray) -> np.ndarray:
    """(N, N) bool: [i, j] True where i has to be painted before j, because j can hide i and i cannot hide j."""
    edges = np.roll(footprints, -1, axis=1) - footprints
    normal = np.stack([edges[..., 1], -edges[..., 0]], axis=-1)  # outward, for counter-clockwise corners
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    offset = np.sum(normal * footprints, axis=-1)
    count = len(footprints)
    reach = (normal.reshape(-1, 2) @ footprints.reshape(-1, 2).T).reshape(count, 4, count, 4)
    beyond = reach.min(axis=-1) - offset[..., None] > -1e-3
    eye_outside = (normal @ eye - offset > 0.0)[..., None]
    # An edge of i with j beyond it: with the eye on j's side i cannot hide j, with the eye on i's side j cannot hide i.
    cannot_hide = np.any(beyond & eye_outside, axis=1) | np.any(beyond & ~eye_outside, axis=1).T
    return cannot_hide & ~cannot_hide.T


def _sorted(first: np.ndarray) -> list[int]:
    """A topological order that takes the earliest free one next; in a circle of constraints the earliest of all."""
    waiting = first.sum(axis=0).astype(int)  # how many must still come before each
    left = list(range(len(first)))
    order = []
    while left:
        free = next((item for item in left if waiting[item] <= 0), left[0])
        left.remove(free)
        order.append(free)
        waiting -= first[free]
    return order
