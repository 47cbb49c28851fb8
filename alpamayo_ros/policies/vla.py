"""Alpamayo as a policy: an observation in, the model's plan out, and its answers to questions.

It holds the loaded model, the engine that runs it on a GPU, and a lock. What the model computes is `vla/`'s; torch is
imported when it is made.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.policies import options
from alpamayo_ros.policies.sampled import SELECTIONS, PolicyBusy, plan_of
from alpamayo_ros.vla.engine.presets import PRESETS

if TYPE_CHECKING:
    import torch

    from alpamayo_ros.vla.checkpoint import Loaded
    from alpamayo_ros.vla.engine.engine import Engine
    from alpamayo_ros.vla.inputs import Prompt
    from alpamayo_ros.vla.outcome import Rollout, Settings

_log = logging.getLogger(__name__)


def _option(default, description: str, limits: tuple | None = None, choices: tuple = ()):
    return field(default=default, metadata={"description": description, "range": limits, "choices": choices})


@dataclass(frozen=True)
class Config:
    """Parameters of the VLA."""

    checkpoint: str = _option("", "Folder or Hugging Face id of an Alpamayo R1 or 1.5 checkpoint.")
    base: str = _option("", "Folder or id of the base VLM's config and tokenizer; empty: as the checkpoint says.")
    download: bool = _option(False, "Fetch what is not here from the Hugging Face hub; else the network is not used.")
    device: str = _option("auto", "'cuda', 'cuda:1', 'cpu'; 'auto' is the first GPU, else the CPU.")
    dtype: str = _option("auto", "Precision of the weights.", choices=("auto", "bfloat16", "float32"))
    attention: str = _option(
        "sdpa", "Attention of the vision and language model.", choices=("sdpa", "eager", "flash_attention_2")
    )
    engine: str = _option(
        "auto",
        "Preset of the real-time engine, or 'plain' for the path without it; 'auto' is 'exact' on a GPU.",
        choices=("auto", "plain", *PRESETS),
    )
    samples: int = _option(1, "Reasonings and trajectories a tick.", (1, 64))
    temperature: float = _option(0.6, "Of the reasoning; 0 takes the likeliest words.", (0.0, 2.0))
    top_p: float = _option(0.98, "Probability of the words that are drawn from.", (0.01, 1.0))
    max_reasoning_tokens: int = _option(256, "Tokens after which a reasoning is cut off.", (1, 4096))
    flow_steps: int = _option(10, "Euler steps from noise to trajectory.", (1, 100))
    noise_scale: float = _option(1.0, "Scale of the flow's noise; less is less diverse.", (0.0, 2.0))
    seed: int = _option(
        42,
        "Decides every draw: with t0, but for the words' where the engine drafts; theirs are then alike in all ticks.",
        (0, 2**31 - 1),
    )
    select: str = _option("first", "Which sample is driven.", choices=tuple(SELECTIONS))
    guidance_weight: float = _option(
        1.0, "Weight of the command against no command (1.5); 1 does not guide.", (0.0, 10.0)
    )
    max_prompt_tokens: int = _option(4096, "A longer prompt is refused.", (64, 65536))

    def __post_init__(self) -> None:
        options.check(self)


class Vla:
    """The model behind the `Policy` seam.

    A plan is a function of the observation and the configuration. What the engine keeps from tick to tick makes it
    faster, not different, but for the rounding of sums: where two words are equally likely, either may be said.
    """

    name = "vla"

    def __init__(self, config: Config, loaded: Loaded, engine: Engine | None = None) -> None:
        self.config = config
        self._loaded: Loaded | None = loaded
        self._engine, self._new_epoch = engine, False
        self._lock = threading.Lock()

    def __call__(self, observation: Observation) -> Plan:
        """Plans.

        Raises:
            InputError: the observation or the request is refused, by name, before the device is touched.
            PolicyBusy: an earlier call has not returned.
        """
        with self._turn() as loaded:
            command, notes = self._command(loaded, observation)
            settings = self._settings(guided=bool(command))
            prompt = self._prompt(loaded, observation, command, settings)
            result, seconds = None, {}
            if self._engine is not None and settings.guidance_weight is None:
                result = self._by_engine(self._engine, loaded, observation, prompt, settings)
            if result is None:
                result, seconds = self._by_plain_path(loaded, observation, prompt, settings)
        return plan_of(observation, result, self.name, self.config.select, seconds, notes)

    def _by_engine(
        self, engine: Engine, loaded: Loaded, observation: Observation, prompt: Prompt, settings: Settings
    ) -> Rollout | None:
        """None where it failed; the engine is given up then, so that driving goes on."""
        from alpamayo_ros.vla.engine.engine import Request
        from alpamayo_ros.vla.engine.sight import shots

        if self._new_epoch:
            engine.reset()
            self._new_epoch = False
        generator = self._generator(loaded, observation)
        # Drafts stand where consecutive ticks share their noise; without drafts ticks are independent.
        seed = self.config.seed if engine.switches.draft else generator.initial_seed()
        history = observation.history_xyz, observation.history_rotation
        try:
            return engine.tick(prompt, shots(observation), history, settings, Request(seed, generator))
        except RuntimeError as error:
            _log.warning("the engine failed, the plain path takes over: %s", error)
            self._engine = None
            return None

    def _by_plain_path(
        self, loaded: Loaded, observation: Observation, prompt: Prompt, settings: Settings
    ) -> tuple[Rollout, dict[str, float]]:
        from alpamayo_ros.vla.rollout import rollout
        from alpamayo_ros.vla.timing import Stopwatch

        watch = Stopwatch(loaded.model.device)
        with watch("preprocess"):
            patches = self._patches(loaded, observation)
        history = observation.history_xyz, observation.history_rotation
        result = rollout(*loaded, prompt, patches, history, settings, self._generator(loaded, observation))
        return result, watch.seconds

    def ask(self, observation: Observation, question: str) -> Iterator[str]:
        """Answers a question about the images, slice by slice; between slices the policy can be called.

        Yields:
            The answer so far; the last one is whole.

        Raises:
            InputError, PolicyBusy: as for a plan.
        """
        from alpamayo_ros.vla import inputs, qa

        with self._turn() as loaded:
            model, vocabulary = loaded
            inputs.check(observation, model.config)
            prompt = inputs.question_prompt(model.config, vocabulary, observation, question)
            self._check_size(loaded, prompt, rows=1)
            patches = self._patches(loaded, observation)
            steps = qa.answer(
                model, vocabulary, prompt, patches, self.config.temperature, self.config.top_p,
                self.config.max_reasoning_tokens, self._generator(loaded, observation),
            )  # fmt: skip
        while True:
            with self._turn():
                piece = next(steps, None)
            if piece is None:
                return
            yield piece

    def reset(self) -> None:
        """What the engine keeps for the next tick belongs to another epoch."""
        self._new_epoch = True  # the next call obeys; one may be running

    def close(self) -> None:
        """Frees the weights; a call that still runs keeps them until it returns."""
        import torch

        self._loaded = self._engine = None
        gc.collect()  # a capture and what it runs refer to each other
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @contextmanager
    def _turn(self) -> Iterator[Loaded]:
        if not self._lock.acquire(blocking=False):
            raise PolicyBusy("an earlier call of the vla policy is still running; this one is refused")
        try:
            if self._loaded is None:
                raise RuntimeError("the vla policy is closed")
            yield self._loaded
        finally:
            self._lock.release()

    def _command(self, loaded: Loaded, observation: Observation) -> tuple[str, tuple[str, ...]]:
        """The navigation text that the model can take, and a note where it cannot be obeyed or guided by."""
        command = observation.command.strip()
        if command and not loaded.model.config.takes_command:
            return "", ("command_not_supported",)
        if not command and self.config.guidance_weight != 1:
            return "", ("guidance_without_command",)
        return command, ()

    def _settings(self, guided: bool) -> Settings:
        from alpamayo_ros.vla.outcome import Settings

        config = self.config
        return Settings(
            config.samples, config.temperature, config.top_p, config.max_reasoning_tokens, config.flow_steps,
            config.noise_scale, config.guidance_weight if guided and config.guidance_weight != 1 else None,
        )  # fmt: skip

    def _prompt(self, loaded: Loaded, observation: Observation, command: str, settings: Settings) -> Prompt:
        from alpamayo_ros.vla import inputs

        model, vocabulary = loaded
        inputs.check(observation, model.config)
        prompt = inputs.driving_prompt(model.config, vocabulary, observation, command)
        self._check_size(loaded, prompt, settings.samples * (1 if settings.guidance_weight is None else 2))
        return prompt

    def _check_size(self, loaded: Loaded, prompt: Prompt, rows: int) -> None:
        from alpamayo_ros.vla import inputs, memory

        model, new = loaded.model, self.config.max_reasoning_tokens
        inputs.check_length(prompt, model.config, new, self.config.max_prompt_tokens)
        patches = int(prompt.grids.prod(axis=1).sum())
        needed = memory.rollout_bytes(model.config, patches, len(prompt.ids), new, rows, model.dtype.itemsize)
        memory.check_fits(needed, model.device, rows)

    def _patches(self, loaded: Loaded, observation: Observation) -> torch.Tensor:
        from alpamayo_ros.vla import inputs, pixels

        return pixels.preprocess(inputs.frames(observation), loaded.model.config, loaded.model.device)

    def _generator(self, loaded: Loaded, observation: Observation) -> torch.Generator:
        import torch

        # A CPU generator looks at 32 bits of its seed only, so both numbers are mixed into them.
        mixed = np.random.SeedSequence((self.config.seed, observation.t0_ns)).generate_state(1)
        return torch.Generator(loaded.model.device).manual_seed(int(mixed[0]))


def create(config: Config) -> Vla:
    """Loads the checkpoint.

    Raises:
        CheckpointError: it cannot be loaded.
        ValueError: the options do not fit it or this machine.
    """
    import torch

    from alpamayo_ros import vla
    from alpamayo_ros.vla import guidance

    if not config.checkpoint:
        raise ValueError("the vla policy has no checkpoint: set vla.checkpoint to a folder or hub id")
    device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    dtype = None if config.dtype == "auto" else config.dtype
    weights = "int8" if config.engine in PRESETS and PRESETS[config.engine].products == "int8" else None
    base = config.base or None
    loaded = vla.load(config.checkpoint, device, dtype, config.attention, base, weights, config.download)
    if config.guidance_weight != 1:
        guidance.check_supported(loaded.model)
    return Vla(config, loaded, _engine(config, loaded))


def _engine(config: Config, loaded: Loaded) -> Engine | None:
    """The engine, compiled and captured for four 1080p cameras; None for the plain path, or where it cannot be made."""
    from alpamayo_ros.contract import make_example
    from alpamayo_ros.vla import inputs
    from alpamayo_ros.vla.engine.engine import Engine, Limits
    from alpamayo_ros.vla.engine.sight import shots

    cuda = loaded.model.device.type == "cuda"
    preset = config.engine if config.engine != "auto" else "exact" if cuda else "plain"
    if preset == "plain":
        return None
    limits = Limits(config.max_prompt_tokens, config.max_reasoning_tokens, config.samples)
    try:
        engine = Engine(loaded, PRESETS[preset], limits)
        if cuda:
            observation = make_example(height=1080, width=1920)
            prompt = inputs.driving_prompt(loaded.model.config, loaded.vocabulary, observation)
            history = observation.history_xyz, observation.history_rotation
            settings = Vla(config, loaded)._settings(guided=False)
            if len(prompt.ids) <= limits.prompt_tokens:
                engine.warm_up(prompt, shots(observation), history, settings)
        return engine
    except Exception as error:  # what a compiler raises on a device that it does not fit is its own
        _log.warning("the engine '%s' cannot be made, the plain path is used: %s", preset, error)
        return None
