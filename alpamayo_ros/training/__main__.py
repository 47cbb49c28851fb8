"""`scripts/train_tiny`: train | evaluate | stops | card; each says more with --help."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path

NEEDED = {
    "numpy": "numpy", "cv2": "opencv-python-headless", "torch": "torch", "transformers": "transformers",
    "tokenizers": "tokenizers", "safetensors": "safetensors",
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"train_tiny needs packages that are not here: pip install {' '.join(missing)}", file=sys.stderr)
        return 2
    return options.do(options) or 0


def _train(options: argparse.Namespace) -> None:
    from .loop import Plan, train

    names = set(Plan.__dataclass_fields__) & set(vars(options))
    train(Plan(**{name: getattr(options, name) for name in names}))


def _evaluate(options: argparse.Namespace) -> None:
    from .evaluate import evaluate

    evaluate(
        options.checkpoint, options.episodes, options.seed, options.jobs, options.device, options.json,
        options.minutes, options.drive_seconds, options.servers,
    )  # fmt: skip


def _stops(options: argparse.Namespace) -> None:
    from alpamayo_ros.policies import load

    from . import stops

    policy = load("onnx", checkpoint=str(options.checkpoint), threads=1)
    found = stops.measure(policy, options.episodes, options.seed, options.drive_seconds)
    print(json.dumps(found, indent=1))
    options.json.write_text(json.dumps(found, indent=1) + "\n")


def _card(options: argparse.Namespace) -> None:
    from . import card

    if options.state:
        facts = card.training_facts(options.state, options.hardware)
        options.training.write_text(json.dumps(facts, indent=1) + "\n")
    written = card.text(options.checkpoint, options.training, options.evaluation, options.stops, options.beside)
    (options.checkpoint / "README.md").write_text(written)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_tiny", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train", help="make data and train, or go on; state and model under --run, and $OUT")
    train.add_argument("--run", type=Path, default=Path("out/tiny"))
    train.add_argument("--minutes", type=float, default=9.5, help="until this run ends")
    train.add_argument("--total-minutes", type=float, default=18.0, help="of all runs; the learning rate falls over it")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--batch", type=int, default=512)
    train.add_argument("--processes", type=int, default=14, help="that drive")
    train.add_argument("--drive-seconds", type=float, default=30.0)
    train.add_argument("--first-rows", type=int, default=6000, help="ticks to wait for before the first step")
    train.add_argument("--capacity", type=int, default=0, help="instants on the device; 0: as many as fit")
    train.add_argument("--join", type=float, default=0.25, help="share of the time at which the model begins to drive")
    train.add_argument("--no-compile", dest="compile", action="store_false")
    train.add_argument("--device", default="cuda")
    train.set_defaults(do=_train)
    test = commands.add_parser("evaluate", help="drive held-out episodes with one model for many processes")
    test.add_argument("checkpoint", type=Path)
    test.add_argument("--episodes", type=int, default=308)
    test.add_argument("--seed", type=int, default=0)
    test.add_argument("--jobs", type=int, default=24, help="processes that drive")
    test.add_argument("--servers", type=int, default=2, help="processes that hold the model")
    test.add_argument("--drive-seconds", type=float, default=30.0)
    test.add_argument("--device", default="cuda")
    test.add_argument("--minutes", type=float, default=9.0, help="episodes not begun by then are left out")
    test.add_argument("--json", type=Path, default=Path("results/tiny/evaluation.json"))
    test.set_defaults(do=_evaluate)
    results = Path("results/tiny")
    stop = commands.add_parser("stops", help="what the plans of stops for lights follow: the room, or the own speed")
    stop.add_argument("--checkpoint", type=Path, default=Path("model/tiny"))
    stop.add_argument("--episodes", type=int, default=8)
    stop.add_argument("--seed", type=int, default=0)
    stop.add_argument("--drive-seconds", type=float, default=22.0)
    stop.add_argument("--json", type=Path, default=results / "stops.json")
    stop.set_defaults(do=_stops)
    card = commands.add_parser("card", help="write the checkpoint's model card from the JSON of the other commands")
    card.add_argument("--checkpoint", type=Path, default=Path("model/tiny"))
    card.add_argument("--state", type=Path, help="of a run: its facts are written to --training first")
    card.add_argument("--hardware", default="one NVIDIA H200", help="that the run had; goes with --state")
    card.add_argument("--training", type=Path, default=results / "training.json")
    card.add_argument("--evaluation", type=Path, default=results / "h200_evaluation.json")
    card.add_argument("--stops", type=Path, default=results / "stops.json")
    others = [results / f"evaluate_{name}.json" for name in ("baseline", "oracle")]
    card.add_argument("--beside", type=Path, nargs="*", metavar="JSON", default=others, help="of evaluate-world")
    card.set_defaults(do=_card)
    return parser


if __name__ == "__main__":
    sys.exit(main())
