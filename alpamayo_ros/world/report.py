"""From trials to numbers with confidence intervals: driving, reasons, agreement, counterfactuals, blanked cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.counterfactual import Change, Flip
from alpamayo_ros.world.intervals import interval, ratio, resamples, share
from alpamayo_ros.world.scoring import Score
from alpamayo_ros.world.trial import Trial

CLASSES = tuple(Decision)
_INDEX = {decision: index for index, decision in enumerate(CLASSES)}
_FLIPPED: dict[str, Callable[[Flip], bool]] = {
    "text": lambda pair: pair.text,
    "path": lambda pair: pair.path,
    "both": lambda pair: pair.text and pair.path,
}


def summarise(trials: Sequence[Trial], seed: int = 0) -> dict[str, Any]:
    """All metrics of a set of trials, and the driving of each family.

    Raises:
        ValueError: no trials.
    """
    if not trials:
        raise ValueError("no trials to summarise")
    weights = resamples(len(trials), seed)
    splits = sorted({trial.split.value for trial in trials})
    families = sorted({trial.scenario.family.value for trial in trials})
    of_family = {name: [trial for trial in trials if trial.scenario.family.value == name] for name in families}
    quantities = trials[0].verdict.comfort
    opened = [[each.min_ade for each in trial.opened] for trial in trials]
    return {
        "episodes": len(trials),
        "splits": {name: sum(trial.split.value == name for trial in trials) for name in splits},
        "closed_loop": _driving(trials, weights),
        "comfort_by_quantity": {name: float(np.mean([t.verdict.comfort[name] for t in trials])) for name in quantities},
        "rule_driver_metres": _mean(weights, [trial.rule_verdict.progress for trial in trials]),
        "open_loop": {"min_ade": ratio(weights, list(map(sum, opened)), list(map(len, opened)))},
        "reasoning_closed_loop": _reasoning([trial.closed for trial in trials], weights),
        "sentence_repeated": _repeated([trial.closed for trial in trials], weights),
        "reasoning_open_loop": _reasoning([trial.opened for trial in trials], weights),
        "counterfactual": _flips(trials, weights),
        "blanked": _blanked(trials),
        "families": {name: _driving(each, resamples(len(each), seed)) for name, each in of_family.items()},
    }


def failures(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The drives that went wrong, or lost a tenth of the way, to look at again."""
    rows = []
    for trial in trials:
        verdict = trial.verdict
        share = verdict.progress / max(trial.rule_verdict.progress, 1.0)
        if verdict.off_road or verdict.at_fault or verdict.red_light_runs or share < 0.9:
            rows.append(
                {
                    "family": trial.scenario.family.value, "seed": trial.scenario.seed, "split": trial.split.value,
                    "behaviour": trial.scenario.behaviour, "off_road_at": verdict.off_road_at,
                    "hit": verdict.collided_with, "hit_at": verdict.collided_at, "at_fault": verdict.at_fault,
                    "red_light_runs": verdict.red_light_runs, "progress": round(share, 3),
                }
            )  # fmt: skip
    return rows


def _mean(weights: np.ndarray, values: Sequence[float]) -> dict[str, Any]:
    return ratio(weights, values, [1.0] * len(values))


def _driving(trials: Sequence[Trial], weights: np.ndarray) -> dict[str, Any]:
    verdicts = [trial.verdict for trial in trials]
    return {
        "off_road": share([verdict.off_road for verdict in verdicts]),
        "collision": share([bool(verdict.collided_with) for verdict in verdicts]),
        "at_fault_collision": share([verdict.at_fault for verdict in verdicts]),
        "red_light_run": share([verdict.red_light_runs > 0 for verdict in verdicts]),
        "progress": _mean(weights, list(map(_progress, trials))),
        "comfort": _mean(weights, [verdict.comfortable for verdict in verdicts]),
        "metres": _mean(weights, [verdict.progress for verdict in verdicts]),
        "planned": sum(trial.planned for trial in trials),
        "refused": sum(trial.refused for trial in trials),
    }


def _progress(trial: Trial) -> float:
    """Of the rule driver's, at most 1: haste in one drive makes up for nothing in another."""
    return min(trial.verdict.progress / max(trial.rule_verdict.progress, 1.0), 1.0)


def _reasoning(scores: Sequence[Sequence[Score]], weights: np.ndarray) -> dict[str, Any]:
    """Decision accuracy, agreement of text and path over ticks where either acts, absent causes."""
    tables = np.array([_confusion([(each.truth, each.said) for each in episode]) for episode in scores])
    total = tables.sum(axis=0)

    def count(test: Callable[[Score], bool]) -> list[int]:
        return [sum(bool(test(each)) for each in episode) for episode in scores]

    ticks = count(lambda each: True)
    return {
        "ticks": int(total.sum()),
        "macro_recall": interval(_macro_recall(total), _macro_recall(np.tensordot(weights, tables, axes=1))),
        "accuracy": ratio(weights, count(lambda each: each.truth is each.said), ticks),
        "agreement": ratio(weights, count(lambda each: each.acts and each.agrees), count(lambda each: each.acts)),
        "absent_cause": ratio(weights, count(lambda each: each.absent), ticks),
        "outside_the_set": ratio(weights, count(lambda each: each.said is None), ticks),
        "classes": _classes(total),
    }


def _repeated(scores: Sequence[Sequence[Score]], weights: np.ndarray) -> dict[str, Any]:
    """Share of ticks that say what the tick before said: how often the last words are right as a draft of the next."""
    pairs = [list(pairwise(each.said for each in episode)) for episode in scores]
    same = [sum(before is now is not None for before, now in each) for each in pairs]
    return {"pairs": sum(map(len, pairs)), **ratio(weights, same, list(map(len, pairs)))}


def _confusion(pairs: Sequence[tuple[Decision, Decision | None]]) -> np.ndarray:
    """(C, C + 1) counts: row the truth, column what was said; the last column is anything outside the set."""
    table = np.zeros((len(CLASSES), len(CLASSES) + 1))
    for truth, said in pairs:
        table[_INDEX[truth], _INDEX[said] if said is not None else len(CLASSES)] += 1
    return table


def _macro_recall(table: np.ndarray) -> np.ndarray:
    """(..., C, C + 1) -> (...): the mean recall of the classes that occur."""
    support = table.sum(axis=-1)
    hits = np.diagonal(table[..., : len(CLASSES)], axis1=-2, axis2=-1)
    occurs = support > 0
    return np.sum(np.where(occurs, hits / np.maximum(support, 1), 0.0), axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def _classes(table: np.ndarray) -> dict[str, dict[str, Any]]:
    rows = {}
    for index, decision in enumerate(CLASSES):
        support, said, hits = table[index].sum(), table[:, index].sum(), table[index, index]
        others = sorted(((int(n), k) for k, n in enumerate(table[index]) if n and k != index), reverse=True)[:3]
        names = [*(each.name for each in CLASSES), "outside the set"]
        rows[decision.name] = {
            "ticks": int(support),
            "recall": float(hits / support) if support else None,
            "precision": float(hits / said) if said else None,
            "said_instead": {names[k]: n for n, k in others},
        }
    return rows


def _flips(trials: Sequence[Trial], weights: np.ndarray) -> dict[str, Any]:
    """Of the pairs of each change, and of all: the share whose text, path, or both changed with the cause."""
    groups = {"all": tuple(Change), **{change.value: (change,) for change in Change}}
    return {name: _flip_row(trials, weights, changes) for name, changes in groups.items()}


def _flip_row(trials: Sequence[Trial], weights: np.ndarray, changes: tuple[Change, ...]) -> dict[str, Any]:
    pairs = [[pair for pair in trial.flips if pair.change in changes] for trial in trials]
    row: dict[str, Any] = {"pairs": sum(map(len, pairs))}
    for part, test in _FLIPPED.items():
        row[part] = ratio(weights, [sum(map(test, each)) for each in pairs], [len(each) for each in pairs])
    return row


def _blanked(trials: Sequence[Trial]) -> dict[str, Any]:
    """Accuracy without images, beside the rate of the commonest decision at the same ticks."""
    table = _confusion([pair for trial in trials for pair in trial.blanked])
    if not table.sum():
        return {"ticks": 0}
    return {
        "ticks": int(table.sum()),
        "accuracy": float(np.trace(table[:, : len(CLASSES)]) / table.sum()),
        "macro_recall": float(_macro_recall(table)),
        "majority_rate": float(table.sum(axis=1).max() / table.sum()),
    }
