"""`python -m alpamayo_ros bench vla`: how long a tick of the plain PyTorch path takes, and what it holds.

The model has the released sizes and random weights made on the device itself, the frames are noise, the reasoning is
a forced number of tokens: speed and memory are right, words and paths mean nothing. With `--checkpoint-io FOLDER` it
writes that model as a sharded checkpoint and loads it again in a fresh process, whose host memory it states.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros.contract import Observation, make_example

if TYPE_CHECKING:
    import torch

    from alpamayo_ros.vla.checkpoint import Loaded
    from alpamayo_ros.vla.inputs import Prompt
    from alpamayo_ros.vla.rollout import Rollout

# The driving prompt's length with four 1080p cameras and the real tokenizer; the stand-in's is longer.
PROMPT_TOKENS = {"r1": 3006, "1_5": 3086}
# Ids below this are the stand-in tokenizer's bytes: plain text.
BYTE_WORDS = 256


def main(argv: Sequence[str]) -> int:
    """Runs the bench, prints it as JSON and writes it to a file where asked."""
    options = _parser().parse_args(argv)
    if options.device is None:
        import torch

        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    report = {"machine": _machine(options.device), "settings": _settings(options)}
    report |= _checkpoint_io(options) if options.checkpoint_io else _ticks(options)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench vla", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=("full", "tiny"), default="tiny", help="sizes of the released 10B, or a toy")
    parser.add_argument("--full-size", dest="size", action="store_const", const="full", help="same as --size full")
    parser.add_argument("--variant", choices=tuple(PROMPT_TOKENS), default="r1")
    parser.add_argument("--device", help="default: the GPU where there is one")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--tokens", type=int, default=40, help="tokens read by the decoder after the prompt")
    parser.add_argument("--flow-steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--checkpoint-io", type=Path, metavar="FOLDER", help="write and load a checkpoint there instead"
    )
    parser.add_argument("--json", type=Path)
    return parser


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    kept = ("size", "variant", "dtype", "samples", "tokens", "flow_steps", "warmup", "ticks", "seed")
    return {name: getattr(options, name) for name in kept}


def _machine(device: str) -> dict[str, Any]:
    import torch
    import transformers

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or "cpu"
    return {
        "device": name,
        "host_cpus": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }


def _ticks(options: argparse.Namespace) -> dict[str, Any]:
    """Makes the model, then runs warm-up and counted ticks for each number of samples."""
    from alpamayo_ros.bench import stand_in

    started = time.perf_counter()
    loaded = stand_in.make(options.variant, options.size == "tiny", options.device, options.dtype, options.seed)
    report: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "make_seconds": time.perf_counter() - started,
        "weights_bytes": _device_bytes(loaded.model.device),
        "runs": [],
    }
    observations = [make_example(options.seed + k, 1080, 1920) for k in range(2)]
    prompt = _prompt(loaded, observations[0], PROMPT_TOKENS[options.variant])
    report["prompt_tokens"] = len(prompt.ids)
    for samples in options.samples:
        _reset_peak(loaded.model.device)
        ticks = [
            _tick(loaded, prompt, observations[k % 2], samples, options) for k in range(options.warmup + options.ticks)
        ]
        report["runs"].append(_summary(samples, ticks[options.warmup :], loaded.model.device, options))
        report["runs"][-1]["estimated_bytes_beyond_weights"] = _estimate(loaded, prompt, samples, options.tokens)
    return report


def _prompt(loaded: Loaded, observation: Observation, length: int) -> Prompt:
    """The driving prompt at the released length: the stand-in spells words in bytes, so that many are left out."""
    from alpamayo_ros.vla import inputs, positions

    model, vocabulary = loaded
    whole = inputs.driving_prompt(model.config, vocabulary, observation)
    cut = np.flatnonzero(whole.ids < BYTE_WORDS)[: max(len(whole.ids) - length, 0)]
    ids = np.delete(whole.ids, cut)
    places, delta = positions.mrope(ids, whole.grids, model.config.image_token, model.config.merge_size)
    return inputs.Prompt(np.delete(whole.unfused_ids, cut), ids, places, delta, whole.grids)


def _tick(
    loaded: Loaded, prompt: Prompt, observation: Observation, samples: int, options: argparse.Namespace
) -> tuple[float, dict[str, float], Rollout]:
    """One tick from frames to trajectories: wall seconds, seconds by stage, and what came out."""
    from alpamayo_ros.vla import inputs, pixels
    from alpamayo_ros.vla.rollout import Forced, Settings, rollout
    from alpamayo_ros.vla.timing import Stopwatch

    model, vocabulary = loaded
    watch = Stopwatch(model.device)
    started = time.perf_counter()
    with watch("preprocess"):
        patches = pixels.preprocess(inputs.frames(observation), model.config, model.device)
    # The words, the stop, and the token after it, which is chosen but not read.
    words = np.random.default_rng(options.seed).integers(0, BYTE_WORDS, (samples, options.tokens + 1))
    words[:, -2] = vocabulary.ids.future_start
    history = observation.history_xyz, observation.history_rotation
    settings = Settings(samples, flow_steps=options.flow_steps)
    result = rollout(*loaded, prompt, patches, history, settings, forced=Forced(words))
    return time.perf_counter() - started, watch.seconds | result.seconds, result


def _estimate(loaded: Loaded, prompt: Prompt, samples: int, tokens: int) -> int:
    """What the policy's memory check would say of such a tick, beside what it took."""
    from alpamayo_ros.vla import memory

    model, patches = loaded.model, int(prompt.grids.prod(axis=1).sum())
    return memory.rollout_bytes(model.config, patches, len(prompt.ids), tokens, samples, model.dtype.itemsize)


def _summary(samples: int, ticks: list, device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    stages = {stage: statistics.median(seconds[stage] for _, seconds, _ in ticks) for stage in ticks[0][1]}
    walls = sorted(wall for wall, _, _ in ticks)
    return {
        "samples": samples,
        "tick_ms": {name: 1e3 * float(np.percentile(walls, q)) for name, q in (("p50", 50), ("p90", 90), ("p99", 99))},
        "stage_ms": {stage: 1e3 * seconds for stage, seconds in stages.items()},
        "decode_ms_per_token": 1e3 * stages["decode"] / options.tokens,
        "flow_ms_per_step": 1e3 * stages["flow"] / options.flow_steps,
        "tokens": [int(count) for count in ticks[-1][2].counts],
        "peak_bytes": _device_bytes(device, peak=True),
        "finite": bool(np.isfinite(ticks[-1][2].motion.xyz).all()),
    }


def _device_bytes(device: torch.device, peak: bool = False) -> int:
    """Bytes allocated on a GPU; on the CPU the process's largest resident size."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) if peak else torch.cuda.memory_allocated(device)
    return _host_peak()


def _reset_peak(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def _host_peak() -> int:
    """The largest resident size of this program so far (getrusage's would include what started it)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _checkpoint_io(options: argparse.Namespace) -> dict[str, Any]:
    """Writes a random checkpoint, and loads it in a fresh process."""
    import torch

    from alpamayo_ros.bench import stand_in
    from alpamayo_ros.vla import checkpoint, released

    folder, tiny = options.checkpoint_io, options.size == "tiny"
    loaded = stand_in.make(options.variant, tiny, options.device, options.dtype, options.seed)
    started = time.perf_counter()
    raw = released.config(options.variant, tiny) | {"model_dtype": options.dtype}
    checkpoint.write(loaded.model, folder, raw, released.base(tiny))
    stand_in.tokenizer().save(str(folder / raw["vlm_name_or_path"] / "tokenizer.json"))
    written = {"write_seconds": time.perf_counter() - started, "shards": len(list(folder.glob("*.safetensors")))}
    sums = _checksums(loaded)
    del loaded
    torch.cuda.empty_cache()
    code = f"from alpamayo_ros.bench import vla; vla.report_load({str(folder)!r}, {options.device!r})"
    output = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
    read = json.loads(output.splitlines()[-1])
    return {"checkpoint_io": written | {"equal": read.pop("checksums") == sums} | read}


def report_load(folder: str, device: str) -> None:
    """Loads a checkpoint and prints as one line of JSON what that took; for a process of its own."""
    import torch
    import transformers.models.qwen3_vl.modeling_qwen3_vl  # noqa: F401  so that the libraries are in the baseline

    from alpamayo_ros import vla

    torch.zeros(1, device=device)
    before, started = _host_peak(), time.perf_counter()
    loaded = vla.load(folder, device)
    seconds, after = time.perf_counter() - started, _host_peak()
    weights = sum(parameter.nbytes for parameter in loaded.model.parameters())
    on_host = weights if loaded.model.device.type == "cpu" else 0
    report = {
        "load_seconds": seconds,
        "weights_bytes": weights,
        "host_peak_bytes": after,
        "host_before_load_bytes": before,
        "host_beyond_weights_bytes": after - on_host,
        "load_beyond_weights_bytes": after - before - on_host,
        "device_peak_bytes": _device_bytes(loaded.model.device, peak=True),
        "checksums": _checksums(loaded),
    }
    print(json.dumps(report))


def _checksums(loaded: Loaded) -> dict[str, int]:
    """The sum of every tensor's bytes."""
    import torch

    return {
        key: int(tensor.contiguous().view(-1).view(torch.uint8).sum(dtype=torch.int64))
        for key, tensor in loaded.model.state_dict().items()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
