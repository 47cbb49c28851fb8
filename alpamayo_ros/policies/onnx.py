"""Alpamayo on ONNX Runtime: the exported graphs of a checkpoint as a policy. No torch, no transformers.

Without a checkpoint it drives with the small model that ships in model/tiny. The same tokens and positions as the
`vla` policy's in float32, up to rounding; what is drawn comes from numpy's generator instead of torch's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.paths import model as shipped
from alpamayo_ros.policies import options
from alpamayo_ros.policies.sampled import SELECTIONS, PolicyBusy, plan_of

if TYPE_CHECKING:
    from alpamayo_ros.ort.rollout import Model
    from alpamayo_ros.vla.inputs import Prompt

SHIPPED = "tiny"


def _option(default, description: str, limits: tuple | None = None, choices: tuple = ()):
    return field(default=default, metadata={"description": description, "range": limits, "choices": choices})


@dataclass(frozen=True)
class Config:
    """Parameters of the model on ONNX Runtime."""

    checkpoint: str = _option("", "Folder or hub id of an exported checkpoint; empty: the small model that ships.")
    base: str = _option("", "Folder or id of the base VLM's config and tokenizer; empty: as the checkpoint says.")
    download: bool = _option(False, "Fetch what is not here from the Hugging Face hub; else the network is not used.")
    device: str = _option("cpu", "'cuda' needs onnxruntime-gpu.", choices=("cpu", "cuda"))
    threads: int = _option(2, "Threads for images and prompt, on the CPU; single steps run on one.", (1, 64))
    samples: int = _option(1, "Reasonings and trajectories a tick.", (1, 64))
    temperature: float = _option(0.0, "Of the reasoning; 0 takes the likeliest words.", (0.0, 2.0))
    top_p: float = _option(0.98, "Probability of the words that are drawn from.", (0.01, 1.0))
    max_reasoning_tokens: int = _option(64, "Tokens after which a reasoning is cut off.", (1, 4096))
    flow_steps: int = _option(0, "Euler steps from noise to trajectory; 0: as the checkpoint says.", (0, 100))
    noise_scale: float = _option(1.0, "Scale of the flow's noise; less is less diverse.", (0.0, 2.0))
    seed: int = _option(42, "Together with t0 it decides every draw of a tick.", (0, 2**31 - 1))
    select: str = _option("first", "Which sample is driven.", choices=tuple(SELECTIONS))
    max_prompt_tokens: int = _option(4096, "A longer prompt is refused.", (64, 65536))

    def __post_init__(self) -> None:
        options.check(self)


class Onnx:
    """The graphs behind the `Policy` seam. A plan is a function of the observation and the configuration alone."""

    name = "onnx"

    def __init__(self, config: Config, model: Model) -> None:
        from alpamayo_ros.ort.features import ImageFeatures

        self.config = config
        self._model: Model | None = model
        self.features = ImageFeatures(model.sessions.vision, model.config)
        self._template: tuple[tuple, Prompt] | None = None
        self._lock = threading.Lock()

    def __call__(self, observation: Observation) -> Plan:
        """Plans.

        Raises:
            InputError: the observation or the request is refused, by name, before anything is computed.
            PolicyBusy: an earlier call has not returned.
        """
        from alpamayo_ros.ort.rollout import rollout
        from alpamayo_ros.vla import inputs
        from alpamayo_ros.vla.outcome import Settings

        given, notes = self.config, ()
        with self._turn() as model:
            began = time.perf_counter()
            inputs.check(observation, model.config)
            command = observation.command.strip()
            if command and not model.config.takes_command:
                command, notes = "", ("command_not_supported",)
            prompt = self._prompt(model, observation, command)
            inputs.check_length(prompt, model.config, given.max_reasoning_tokens, given.max_prompt_tokens)
            prompted = time.perf_counter()
            features = self.features(observation)
            seen = time.perf_counter()
            settings = Settings(
                given.samples, given.temperature, given.top_p, given.max_reasoning_tokens, given.flow_steps or None,
                given.noise_scale,
            )  # fmt: skip
            history = observation.history_xyz, observation.history_rotation
            rng = np.random.default_rng((given.seed, observation.t0_ns))
            result = rollout(model, prompt, features, history, settings, rng)
        seconds = {"prompt": prompted - began, "vision": seen - prompted}
        return plan_of(observation, result, self.name, given.select, seconds, notes)

    def reset(self) -> None:
        """Forgets the features of earlier images."""
        self.features.clear()

    def close(self) -> None:
        """Frees the graphs; a call that still runs keeps them until it returns."""
        self._model = None
        self.features.clear()

    def _prompt(self, model: Model, observation: Observation, command: str) -> Prompt:
        """The prompt; only its history differs from tick to tick, as long as command and image sizes stay."""
        from alpamayo_ros.vla import inputs

        key = command, tuple(image.shape for image in inputs.frames(observation))
        if self._template is None or self._template[0] != key:
            made = inputs.driving_prompt(model.config, model.vocabulary, observation, command)
            self._template = key, made
            return made
        return inputs.with_history(self._template[1], model.config, model.vocabulary, observation.history_xyz)

    @contextmanager
    def _turn(self) -> Iterator[Model]:
        if not self._lock.acquire(blocking=False):
            raise PolicyBusy("an earlier call of the onnx policy is still running; this one is refused")
        try:
            if self._model is None:
                raise RuntimeError("the onnx policy is closed")
            yield self._model
        finally:
            self._lock.release()


def create(config: Config) -> Onnx:
    """Loads the graphs.

    Raises:
        CheckpointError: the checkpoint or its graphs cannot be loaded.
        ValueError: this machine's ONNX Runtime has no such device.
    """
    from alpamayo_ros.ort.rollout import Model
    from alpamayo_ros.ort.sessions import Sessions
    from alpamayo_ros.vla import headers, hub, reading
    from alpamayo_ros.vla.unicycle import Scale

    folder = hub.checkpoint_folder(config.checkpoint or str(shipped(SHIPPED)), config.download)
    settings, vocabulary = reading.settings(folder, config.base or None, config.download)
    scale = Scale.exact(settings.action_space)
    if settings.stores_buffers:
        found = headers.entries(folder)
        scale = Scale(*(float(headers.values(found[f"action_space.{name}"])) for name in Scale.__dataclass_fields__))
    return Onnx(config, Model(settings, vocabulary, scale, Sessions(folder, config.device, config.threads)))
