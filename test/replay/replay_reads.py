"""Reads what a replay left."""

import json

from alpamayo_ros.replay import journal


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def records(folder):
    return journal.read(folder / "journal")
