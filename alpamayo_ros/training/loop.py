"""The training: actors drive, the GPU learns, the model joins the driving, and all of it stops in time.

The learning rate follows the share of the planned wall-clock time, over all runs that take up one another.
"""

from __future__ import annotations

import copy
import math
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alpamayo_ros.vla import checkpoint, pixels
from alpamayo_ros.vla.model import Alpamayo, create

from . import actors, curves, forward, state, vocabulary
from .layout import lay_out
from .objective import DRAWS, Notes, Objective, Tables, flow_times
from .optimiser import Average, initialise, optimisers, rate_at
from .progress import Bar
from .recording import load as load_recording
from .recording import shapes
from .small import BASE_FOLDER, IMAGE
from .store import Rows, Store

SHOWN = ("total", "words", "said", "seen", "plain", "speed", "heading", "place", "aside")
SAVE_S, WEIGHTS_S = 60.0, 20.0
ENOUGH_MEMORY = 15_000_000_000
CLOSING_S = 15.0  # kept for the last save and the picture
_UNIT = {"accel_mean": 0.0, "accel_std": 1.0, "curvature_mean": 0.0, "curvature_std": 1.0}


@dataclass(frozen=True)
class Plan:
    """What to train, and for how long.

    Attributes:
        run: folder of the run's state, kept between runs.
        minutes: until this run ends; total_minutes: of all runs together, over which the learning rate falls.
        seed: of data and weights.
        batch: rows a step.
        processes: actors.
        drive_seconds: of a recorded drive.
        first_rows: rows to wait for before the first step.
        capacity: frames of each camera on the device, 0: as many as fit.
        join: share of the total time at which the model begins to drive.
        compile: whether the loss is compiled.
        device: "cuda" or "cpu".
    """

    run: Path
    minutes: float
    total_minutes: float
    seed: int = 0
    batch: int = 512
    processes: int = 14
    drive_seconds: float = 30.0
    first_rows: int = 6000
    capacity: int = 0
    join: float = 0.25
    compile: bool = True
    device: str = "cuda"


def train(plan: Plan) -> None:
    """Trains until the time is over, from the run's state where there is one."""
    training = _Training(plan)
    try:
        training.run()
    finally:
        training.close()


class _Training:
    """The state of a run."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.started = plan, time.monotonic()
        self.found = state.load(plan.run / "state")
        facts = self.found[1] if self.found else {}
        self.before, self.step, self.drives = facts.get("seconds", 0.0), facts.get("step", 0), facts.get("drives", 0)
        self.first_step = self.step
        self.history: list[dict[str, float]] = facts.get("history", [])
        self.statistics: dict[str, float] | None = facts.get("statistics")
        self.generator = torch.Generator(plan.device).manual_seed(plan.seed + 1000 * (self.step + 1))
        self.scratch = scratch_folder() / f"alpamayo_tiny_{plan.run.name}"
        self.fresh, self.kept, self.address = self.scratch / "fresh", self.scratch / "kept", self.scratch / "socket"
        shutil.rmtree(self.fresh, ignore_errors=True)
        for folder in (self.fresh, self.kept, plan.run):
            folder.mkdir(parents=True, exist_ok=True)
        self.address.unlink(missing_ok=True)
        self.server: subprocess.Popen | None = None
        self.actors = actors.start(
            self.fresh, str(self.address), plan.processes, plan.seed, self.drives, plan.drive_seconds
        )
        self.base = vocabulary.train()
        self.bar = Bar()

    @property
    def share(self) -> float:
        return (self.before + time.monotonic() - self.started) / (60.0 * self.plan.total_minutes)

    @property
    def left(self) -> float:
        return 60.0 * self.plan.minutes - CLOSING_S - (time.monotonic() - self.started)

    def run(self) -> None:
        self._fill()
        self._build()
        saved = written = time.monotonic()
        while self.left > 0 and self.share < 1.0:
            self._learn()
            if self.step % 4 == 0:
                self._take_in(2)
            now = time.monotonic()
            if self.share >= self.plan.join and self.server is None:
                self._write_weights()
                self._serve()
            if self.server is not None and now - written > WEIGHTS_S:
                self._write_weights()
                written = now
            if now - saved > SAVE_S:
                self._save()
                saved = time.monotonic()
        self._save()
        self._export(self.plan.run / "model", torch.float16)
        state.copy_out(self.plan.run / "model")

    def close(self) -> None:
        for process in [*self.actors, *([self.server] if self.server else [])]:
            process.terminate()
        shutil.rmtree(self.fresh, ignore_errors=True)

    def _fill(self) -> None:
        """The store, with what an earlier run has left and enough of the actors' first drives."""
        plan = self.plan
        _, _, config = vocabulary.configure(self.base, _UNIT)
        free = torch.cuda.mem_get_info()[0] if plan.device == "cuda" else 2 << 30
        frame = 4 * IMAGE.height * IMAGE.width * 3
        capacity = plan.capacity or int(0.5 * free / frame)
        self.store = Store(capacity, config, plan.device, (IMAGE.height, IMAGE.width))
        self.most_kept = max(int(0.5 * shutil.disk_usage(self.scratch).free / (300 * frame)), 1)
        left = sorted(self.kept.glob("*.npz"), key=lambda path: path.stat().st_mtime)[-max(capacity // 330, 1) :]
        with ThreadPoolExecutor(6) as readers:
            for first in range(0, len(left), 12):
                for drive in readers.map(load_recording, left[first : first + 12]):
                    self.store.add(drive)
        while len(self.store) < plan.first_rows:
            self._check_actors()
            if not self._take_in(8):
                time.sleep(0.5)
            self.bar.show(self.share, self.step, {"rows": float(len(self.store))}, "waiting for drives")

    def _build(self) -> None:
        plan = self.plan
        self.statistics = self.statistics or self.store.statistics()
        self.raw, self.base_raw, config = vocabulary.configure(self.base, self.statistics)
        words = vocabulary.extended(self.base, config)
        layout = lay_out(config, words)
        self.model = create(config, plan.device, "float32", plan.seed)
        initialise(self.model, plan.seed)
        self.notes = Notes(config.text["hidden_size"], **shapes()).to(plan.device)
        fixed = forward.fix(config, layout, plan.device)
        check_forward(self.model, fixed, layout.grid)
        self.objective = Objective(self.model, self.notes, fixed, Tables.of(layout, plan.device))
        self.optimisers = optimisers([self.model, self.notes], fused=plan.device == "cuda")
        self.average = Average(self.model)
        self.batch = plan.batch
        if self.found:
            self._restore(self.found[0])
        self.compiled = torch.compile(self.objective) if plan.compile else self.objective
        torch.set_float32_matmul_precision("high")

    def _learn(self) -> None:
        """One step; a batch that does not fit is halved, a loss that does not compile is run as it is."""
        try:
            losses = self._losses(self.store.draw(self.batch, self.generator))
            losses["total"].backward()
        except torch.OutOfMemoryError:
            self.batch //= 2
            print(f"the batch does not fit; from here on {self.batch} rows", file=sys.stderr)
            self._clear()
            torch.cuda.empty_cache()
            return
        except Exception as error:
            if self.compiled is self.objective:
                raise
            print(
                f"torch.compile failed, going on without it: {type(error).__name__}: {str(error)[:2000]}",
                file=sys.stderr,
            )
            self.compiled = self.objective
            self._clear()
            return
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), 1.0)
        rate = rate_at(self.share, self.step - self.first_step)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self._clear()
        self.average.take(self.step)
        self.step += 1
        if self.step % 20 == 0 or self.step < 5:
            numbers = {name: float(losses[name].detach()) for name in SHOWN}
            if not math.isfinite(numbers["total"]):
                raise RuntimeError(f"the loss is {numbers['total']} at step {self.step}")
            self.history.append({"step": self.step, "rate": rate, "rows": self.store.added, **numbers})
            note = f"{len(self.store)} rows, {self.drives} drives, batch {self.batch}"
            self.bar.show(self.share, self.step, numbers, note)

    def _losses(self, rows: Rows) -> dict[str, torch.Tensor]:
        times = flow_times(self.batch, self.generator)
        noise = torch.randn((self.batch, DRAWS, 64, 2), device=self.plan.device, generator=self.generator)
        with torch.autocast(self.plan.device, dtype=torch.bfloat16, enabled=self.plan.device == "cuda"):
            return self.compiled(rows, noise, times)

    def _clear(self) -> None:
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)

    def _take_in(self, most: int) -> bool:
        """Takes some of the actors' recordings; whether there were any."""
        paths = sorted(self.fresh.glob("*.npz"))[:most]
        for path in paths:
            self.store.add(load_recording(path))
            self.drives += 1
            kept = sorted(self.kept.glob("*.npz"), key=lambda each: each.stat().st_mtime)
            for old in kept[: max(len(kept) + 1 - self.most_kept, 0)]:
                old.unlink()
            path.rename(self.kept / path.name)
        return bool(paths)

    def _check_actors(self) -> None:
        dead = [actor for actor in self.actors if not actor.is_alive()]
        if len(dead) == len(self.actors):
            raise RuntimeError(f"all {len(dead)} driving processes have ended; exit codes {[a.exitcode for a in dead]}")

    def _serve(self) -> None:
        """Starts the process that lets the model drive."""
        folder = self.scratch / "served"
        self._export(folder, torch.float32)
        module = [sys.executable, "-m", "alpamayo_ros.training.serving"]
        weights = str(self.scratch / "weights.pt")
        self.server = subprocess.Popen([*module, str(self.address), str(folder), weights, self.plan.device, "1"])

    def _write_weights(self) -> None:
        self.average.swap()
        part = self.scratch / "weights.part"
        torch.save({name: value.cpu() for name, value in self.model.state_dict().items()}, part)
        part.rename(self.scratch / "weights.pt")
        self.average.swap()

    def _export(self, folder: Path, dtype: torch.dtype) -> None:
        """The averaged weights as a checkpoint in the released format."""
        self.average.swap()
        export(self.model, folder, self.raw, self.base_raw, self.base, dtype)
        self.average.swap()

    def _save(self) -> None:
        tensors = {f"model.{name}": value for name, value in self.model.named_parameters()}
        tensors |= {f"notes.{name}": value for name, value in self.notes.named_parameters()}
        tensors |= {f"average.{index:03d}": value for index, value in enumerate(self.average.values)}
        for number, optimiser in enumerate(self.optimisers):
            for index, kept in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{index}.{name}": _short(value) for name, value in kept.items()}
        facts = {
            "seconds": self.before + time.monotonic() - self.started, "step": self.step, "drives": self.drives,
            "statistics": self.statistics, "history": self.history, "seed": self.plan.seed, "batch": self.batch,
        }  # fmt: skip
        state.save(self.plan.run / "state", tensors, facts)
        curves.draw(self.history, [*SHOWN, "rate", "rows"], self.plan.run / "state" / "losses.png")
        state.copy_out(self.plan.run / "state")

    @torch.no_grad()
    def _restore(self, tensors: dict[str, torch.Tensor]) -> None:
        for module, prefix in ((self.model, "model."), (self.notes, "notes.")):
            for name, parameter in module.named_parameters():
                parameter.copy_(tensors[prefix + name])
        # A state may have travelled without its average and its optimisers: those then begin at the weights.
        live = list(self.model.parameters())
        for index, value in enumerate(self.average.values):
            value.copy_(tensors.get(f"average.{index:03d}", live[index]))
        for number, optimiser in enumerate(self.optimisers):
            kept: dict[int, dict[str, Any]] = {}
            for key, value in tensors.items():
                parts = key.split(".")
                if parts[:2] == ["optimiser", str(number)]:
                    kept.setdefault(int(parts[2]), {})[parts[3]] = value.float()
            optimiser.load_state_dict({**optimiser.state_dict(), "state": kept})


def export(
    model: Alpamayo, folder: Path, raw: dict[str, Any], base_raw: dict[str, Any], base: Any, dtype: torch.dtype
) -> None:
    """Writes a checkpoint in the released format, its tensors rounded to `dtype`."""
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.write(copy.deepcopy(model).to(dtype), folder, raw, base_raw, max_shard_bytes=state.LARGEST)
    vocabulary.save(base, folder / BASE_FOLDER)


@torch.no_grad()
def check_forward(model: Alpamayo, fixed: forward.Fixed, grid: np.ndarray) -> None:
    """Compares the batched vision with the model's own on this machine's transformers.

    Raises:
        RuntimeError: they differ.
    """
    frames = np.random.default_rng(0).integers(0, 256, (2, IMAGE.height, IMAGE.width, 3), dtype=np.uint8)
    own = model.encode_images(pixels.preprocess(list(frames), model.config, model.device), np.tile(grid, (2, 1)))
    batched, taps = forward.see(model, fixed, torch.from_numpy(frames).to(model.device))
    for one, other in ((own.merged, batched), *zip(own.deepstack, taps, strict=True)):
        worst = float((one - other.flatten(0, 1)).abs().max())
        if worst > 1e-2 * max(float(one.abs().max()), 1e-3):
            raise RuntimeError(f"the batched vision differs from the model's own by {worst}; another transformers?")


def scratch_folder() -> Path:
    """Where large files that nobody keeps go: memory where there is enough of it, else the disk for such files."""
    memory = Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > ENOUGH_MEMORY
    return memory if enough else Path(tempfile.gettempdir())


def _short(value: Any) -> torch.Tensor:
    """Optimiser state for a file: large tensors in bfloat16."""
    value = torch.as_tensor(value)
    return value.bfloat16() if value.numel() > 1000 else value
