"""The model card of model/tiny, its numbers from what the training and the evaluations wrote."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from alpamayo_ros.vla import headers
from alpamayo_ros.world.table import metres, percent

from .small import EXPERT_WIDTH, FLOW_STEPS, IMAGE, LAYERS, LEAST_IMAGE, VISION_WIDTH, WIDTH

# name, place in the JSON, the bar of the issue, and whether more is better
BARS = (
    ("off the road", ("closed_loop", "off_road"), 0.02, False),
    ("at-fault collision", ("closed_loop", "at_fault_collision"), 0.02, False),
    ("red light run", ("closed_loop", "red_light_run"), 0.02, False),
    ("progress, of the rule driver's", ("closed_loop", "progress"), 0.95, True),
    ("decision recall, macro average", ("reasoning_closed_loop", "macro_recall"), 0.85, True),
    ("text and path agree", ("reasoning_closed_loop", "agreement"), 0.95, True),
    ("cause cited that is not in view", ("reasoning_closed_loop", "absent_cause"), 0.02, False),
    ("counterfactuals that change text and path", ("counterfactual", "all", "both"), 0.9, True),
)
LEAST_EPISODES, MOST_METRES = 300, 0.5
SHORTENED = " More were asked for; these are the ones that were done when the machine's time was up."
LATELY, LOSSES = 20, ("total", "words", "seen", "plain")  # records whose median is told, and of which losses


def training_facts(state: Path, hardware: str) -> dict[str, Any]:
    """What a run's state tells of the training.

    Raises:
        FileNotFoundError: the folder holds no state.
    """
    facts = json.loads((state / "state.json").read_text())["facts"]
    history = facts["history"]
    # Rows are counted anew on each machine, so that the count falls where a run went on on another one.
    made = sum(row["rows"] for row, after in pairwise(history) if after["rows"] < row["rows"]) + history[-1]["rows"]
    names = ("seed", "seconds", "step", "batch", "drives")
    lately = history[-LATELY:]
    losses = {name: median(row[name] for row in lately) for name in LOSSES}
    return {"hardware": hardware, **{name: facts[name] for name in names}, "rows": made, "losses": losses}


def text(checkpoint: Path, training: Path, evaluation: Path, stops: Path, beside: list[Path]) -> str:
    """The card.

    Args:
        training: of `training_facts`; evaluation: of `train_tiny evaluate`, or of `evaluate-world`;
            stops: of `train_tiny stops`.
        beside: of `evaluate-world`, other policies or this one on another machine.
    """
    trained, tried, stopped = (json.loads(path.read_text()) for path in (training, evaluation, stops))
    others = [json.loads(path.read_text()) for path in beside]
    count = sum(_product(entry.shape) for entry in headers.entries(checkpoint).values())
    parts = (
        _head(count),
        _trained(trained),
        _numbers(tried),
        _decisions(tried),
        _short(tried, stopped),
        _beside([tried, *others]),
        _tail(),
    )
    return "\n\n".join(parts) + "\n"


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _head(parameters: int) -> str:
    return f"""---
license: apache-2.0
---
# Alpamayo, small

**A toy for a toy world; not for a road.** It has the classes and the prompt of Alpamayo 1.5 with small sizes and
weights of its own: nothing of NVIDIA's weights is in it. It exists so that the driver can be run, shown and tested on
two CPU cores.

{parameters / 1e6:.2f} million parameters. Vision: 4 layers of {VISION_WIDTH}. Language: {LAYERS} layers of {WIDTH}.
Expert: {LAYERS} layers of {EXPERT_WIDTH}, {FLOW_STEPS} Euler steps. It sees four cameras of {IMAGE.height} x
{IMAGE.width} at four instants, sixteen past poses and a command; it says one of a closed set of sentences, and plans
6.4 s. The ONNX graphs beside it read the same weights.

Images of other sizes are resized by the released rule, those twice as wide as high to this size. 16:9 becomes
{LEAST_IMAGE.height} x {LEAST_IMAGE.width}, which it was not trained on: give it cameras of 2:1, or expect it to leave
the road.

This file is written by `scripts/train_tiny card`; edit `alpamayo_ros/training/card.py`."""


def _trained(trained: dict[str, Any]) -> str:
    losses = ", ".join(f"{name} {trained['losses'][name]:.3g}" for name in LOSSES)
    return f"""## Data and training

The data is made from seed {trained["seed"]} while the GPU trains: drives of 30 s in the seeded world of
`alpamayo_ros.world`, with the rule driver's path and reason as the label of every tick. At first a straying copy of the
rule driver drives; later the model itself drives about every second drive (DAgger), half of those with its plans
stretched and shortened at random. One seed in five and some combinations of factors in every family are never trained
on. The frames of three drives in five go through JPEG. Some pieces of every drive are drawn a second time with what is
stopped for taken away, or with a green light red: the same past, another answer.

The first 831 seconds (5832 steps, 857 drives) saw an earlier edition of this world, and the weights went on from
there: stop lines were thinner and without posts, people were narrower and their crossings mostly unmarked, the rule
driver stopped one metre before a line, not two, and 3.5 before a person, not five, nothing was drawn a second time, and
the straying driver kept its stops. The numbers below are of the present edition.

| | |
|---|---|
| hardware | {trained["hardware"]} |
| seconds | {trained["seconds"]:.0f} |
| drives, ticks | {trained["drives"]}, {trained["rows"]} |
| steps, batch | {trained["step"]}, {trained["batch"]} |
| losses, medians of the last {LATELY} records | {losses} |

Curves: `results/tiny/losses.png`. The spikes of `plain` from step 8200 on are a few rows whose label lies far outside
of what is driven; what made them was not found, and a clipped gradient bounds what they do.
Again: `scripts/train_tiny train`, and again with the same folder to go on."""


def _numbers(tried: dict[str, Any]) -> str:
    rows = []
    for name, place, bar, more in BARS:
        number = tried
        for key in place:
            number = number[key]
        met = number["value"] >= bar if more else number["value"] <= bar
        sign = "at least" if more else "at most"
        rows.append(f"| {name} | {percent(number)} | {sign} {100 * bar:.0f} | {'yes' if met else '**no**'} |")
    distance, episodes = tried["open_loop"]["min_ade"], tried["episodes"]
    met = "yes" if distance["value"] <= MOST_METRES else "**no**"
    rows.append(f"| open loop minADE_6, 6.4 s | {metres(distance)} | at most {MOST_METRES} m | {met} |")
    met = "yes" if episodes >= LEAST_EPISODES else "**no**"
    rows.append(f"| episodes | {episodes} | at least {LEAST_EPISODES} | {met} |")
    blanked = tried["blanked"]
    worse = ": without images it does not even as well as a constant answer"
    blind = (
        f"With the cameras blanked it names the decision in {100 * blanked['accuracy']:.1f} % of {blanked['ticks']}"
        f" ticks; always naming the commonest would give {100 * blanked['majority_rate']:.1f} %"
        f"{worse if blanked['accuracy'] < blanked['majority_rate'] else ''}."
    )
    asked = (
        f" Text and path are scored at every {_ordinal(tried['score_every'])}tick of these drives; the open loop is"
        f" asked every {tried['open_every'] / 10:.0f} s of the rule driver's."
        if "score_every" in tried
        else ""
    )
    return "\n".join(
        [
            "## Numbers",
            "",
            f"Held-out scenarios, {tried['seconds']:.0f} s each, {tried['latency']} s from image to path, through the"
            " driver's own observer. Per cent, with 95 % intervals over episodes." + asked,
            "",
            "| | measured | wanted | reached |",
            "|---|---|---|---|",
            *rows,
            "",
            blind,
        ]
    )


def _ordinal(every: int) -> str:
    return {1: "", 2: "second "}.get(every, f"{every}th ")


def _decisions(tried: dict[str, Any]) -> str:
    rows = []
    for name, row in tried["reasoning_closed_loop"]["classes"].items():
        if row["ticks"]:
            precision = "-" if row["precision"] is None else f"{100 * row['precision']:.1f}"
            instead = next(iter(row["said_instead"]), "")
            rows.append(f"| {name} | {row['ticks']} | {100 * row['recall']:.1f} | {precision} | {instead} |")
    head = "| decision, closed loop | ticks | recall | precision | most often instead |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def _short(tried: dict[str, Any], stopped: dict[str, Any]) -> str:
    families = [
        f"{name} {percent(row['at_fault_collision'])} % at fault, {percent(row['red_light_run'])} % red"
        for name, row in tried["families"].items()
        if row["at_fault_collision"]["value"] or row["red_light_run"]["value"]
    ]
    classes, drive, flips = tried["reasoning_closed_loop"]["classes"], tried["closed_loop"], tried["counterfactual"]
    left, right, person = (
        100 * classes[name]["recall"] for name in ("SLOW_FOR_BEND_LEFT", "SLOW_FOR_BEND_RIGHT", "STOP_FOR_PEDESTRIAN")
    )
    highest = 100 * max(drive[name]["high"] for name in ("off_road", "at_fault_collision", "red_light_run"))
    plan, rule = stopped["plan"], stopped["rule_driver"]
    return f"""## Where it falls short

- Families with failures: {"; ".join(families) or "none"}. Over all {tried["episodes"]} episodes the intervals
  of the three failures reach {highest:.1f} %.{SHORTENED if tried["episodes"] < LEAST_EPISODES else ""}
- **Bends.** The sentence for a bend that needs less speed comes late or not at all (recall {left:.1f} % to the left,
  {right:.1f} % to the right, mostly "keep" instead); {percent(drive["off_road"])} % of drives left the road.
- **Pedestrians.** Beside the road a person is in the front camera only, a few pixels wide at 20 m: recall
  {person:.1f} %, and of {flips["pedestrian"]["pairs"]} counterfactual pairs
  {percent(flips["pedestrian"]["both"])} % change text and path. Of {flips["lead"]["pairs"]} with the car ahead
  {percent(flips["lead"]["both"])} % do.
- **Stops for lights.** A driver who stops comfortably has a speed that tells the room, so a model can read its own
  speedometer instead of the road, and what is late stays late. Over {stopped["ticks"]} ticks of such stops the place
  where the plan ends goes with {plan["room"]} of the true room and {plan["speed"]} of the comfortable stopping distance
  of its speed (the rule driver's: {rule["room"]} and {rule["speed"]}), and it ends {_farther(stopped)}."""


def _farther(stopped: dict[str, Any]) -> str:
    metres = stopped["plan_goes_farther_m"]
    return f"{abs(metres):.1f} m {'beyond' if metres > 0 else 'short of'} the rule driver's on the average"


def _beside(others: list[dict[str, Any]]) -> str:
    rows = []
    for each in others:
        drive, reasons = each["closed_loop"], each["reasoning_closed_loop"]
        cells = (percent(drive[name]) for name in ("off_road", "at_fault_collision", "red_light_run", "progress"))
        recall, distance = percent(reasons["macro_recall"]), metres(each["open_loop"]["min_ade"])
        rows.append(f"| {each['policy']} | {each['episodes']} | {' | '.join(cells)} | {recall} | {distance} |")
    return "\n".join(
        [
            "## Beside a baseline and the rule driver",
            "",
            "The first row is the table above: its distance is that of the nearest of six paths, the others plan one."
            " The others, and this model on any machine: `python -m alpamayo_ros evaluate-world --policy baseline |"
            " oracle | onnx`.",
            "",
            "| policy | episodes | off road | at fault | red light | progress | macro recall | minADE |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _tail() -> str:
    return """## Limits and licence

It has never seen a photograph. It knows this world's cars, people, lights and roads, a front camera with the rig's
geometry, and roads of up to 50 km/h. Its sentences come from a closed set; it answers no questions. Apache-2.0."""
