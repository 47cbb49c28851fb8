"""One tick at a time on one device: the same answers as `vla.rollout`, in the engine's arrangement.

A tick's work is queued without waiting; the host waits for what it must know (whether a draft holds, when the rows
have ended) and for the end. What a tick leaves for the next one are features of its images, its words as a draft, and
the part of the next prompt that is known already. An engine is not re-entrant.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from alpamayo_ros.contract import SLOT_OFFSETS_NS
from alpamayo_ros.vla.checkpoint import Loaded
from alpamayo_ros.vla.engine import draft, rope, weights
from alpamayo_ros.vla.engine.cache import Store
from alpamayo_ros.vla.engine.decode import Choice, Decoder
from alpamayo_ros.vla.engine.features import Features
from alpamayo_ros.vla.engine.flow import Flow
from alpamayo_ros.vla.engine.graph import Captured
from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.engine.prefill import Prefill, Text, padded
from alpamayo_ros.vla.engine.prefix import Prefix
from alpamayo_ros.vla.engine.presets import PRESETS, Switches
from alpamayo_ros.vla.engine.quickest import quickest
from alpamayo_ros.vla.engine.sight import Shot, Sight
from alpamayo_ros.vla.engine.stages import Stages
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.model import Alpamayo
from alpamayo_ros.vla.outcome import Rollout, Settings, outcome
from alpamayo_ros.vla.rollout import Forced, Trace

_log = logging.getLogger(__name__)

# Where features are kept, images are encoded as many together as a tick on the grid brings new ones.
_NEW = 4


@dataclass(frozen=True)
class Limits:
    """The most that a tick may ask for; memory is taken for it at once."""

    prompt_tokens: int = 4096
    tokens: int = 256
    samples: int = 1
    images: int = 16


@dataclass(frozen=True)
class Request:
    """What is asked of a tick beside its inputs.

    Attributes:
        seed: of the words. They are a function of it, never of a draft; a draft is worth most where consecutive ticks
            have the same.
        generator: on the model's device, for the actions' noise.
        forced, trace: as of `vla.rollout`.
        accepted: how many of the draft's tokens count as accepted, instead of the comparison's outcome (benches).
    """

    seed: int = 0
    generator: torch.Generator | None = None
    forced: Forced = Forced()
    trace: Trace | None = None
    accepted: int | None = None


class Engine:
    """The model of `loaded`, whose weights it shares.

    Attributes:
        encoded: images encoded in the last tick; read: tokens read with its prompt, draft and padding included.
        drafted, accepted: tokens of the last tick's draft, and how many of them stood.
    """

    def __init__(self, loaded: Loaded, switches: Switches | None = None, limits: Limits | None = None) -> None:
        self.switches, self.limits = switches or PRESETS["exact"], limits or Limits()
        self._model, self._vocabulary = loaded
        self.encoded = self.read = self.drafted = self.accepted = 0
        self._arrange()

    def _arrange(self) -> None:
        """Makes everything that depends on the weights or on where they lie."""
        model, limits, switches = self._model, self.limits, self.switches
        config, device, language = model.config, model.device, model.vlm.model.language_model
        self._graphs = switches.graphs and device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._graphs else None
        self._ops = operations(switches, model)
        with torch.no_grad():
            self._text = weights.pack(language, config.text, switches.products)
            self._expert = weights.pack(model.expert, config.expert_text, switches.products)
            # As the model was loaded, beside copies in eight bits: few rows may be multiplied faster with these.
            loaded = weights.pack(language, config.text), weights.pack(model.expert, config.expert_text)
            self._loaded = loaded if switches.products and loaded[0].layers[0].qkv.scale is None else ()
            self._head = weights.Matrix(model.vlm.lm_head.weight.detach())
            self._embed = language.embed_tokens.weight.detach()
        self._scale, self._seen_weights = model.action_space.scale(), _fingerprint(model)
        capacity, slots = padded(limits.prompt_tokens + limits.tokens), limits.tokens + 1
        with torch.inference_mode():
            text = self._text
            self._store = Store.make(
                len(text.layers), text.kv_heads, text.head, capacity, limits.samples, slots, model.dtype, device
            )
            places = capacity + slots + config.action_space.n_waypoints
            frequencies = language.rotary_emb.inv_freq
            self._tables = [rope.table(frequencies, places, dtype) for dtype in (model.dtype, torch.float32)]
            self._prefill = Prefill(
                self._embed, text, self._head, self._ops, self._store, self._tables[0],
                config.text["rope_scaling"]["mrope_section"],
            )  # fmt: skip
            vision = config.vision
            longest = config.max_pixels // (config.patch_size * config.merge_size) ** 2
            self._features = Features(
                len(vision["deepstack_visual_indexes"]), 2 * limits.images, longest, vision["out_hidden_size"],
                model.dtype, device,
            )  # fmt: skip
            group = _NEW if switches.image_cache else limits.images
            self._sight = Sight(model, self._ops, self._features, group, switches.image_cache, self._graphs, self._pool)
            self._prefix = Prefix(
                self._prefill, self._features, config.image_token, len(SLOT_OFFSETS_NS), self._graphs, self._pool
            )
        self._decoders: dict[Hashable, Decoder] = {}
        self._flows: dict[Hashable, tuple[Flow, Captured]] = {}
        self._draft: tuple[int, ...] = ()

    def reset(self) -> None:
        """Forgets the ticks before: a new epoch."""
        self._features.forget()
        self._prefix.forget()
        self._draft = ()

    def warm_up(self, given: Prompt, shots: Sequence[Shot], history: tuple, settings: Settings) -> None:
        """Compiles and captures what such ticks take, so that none of them waits for it."""
        started = time.perf_counter()
        steps = min(5, settings.max_tokens)
        words = np.full((settings.samples, steps), self._vocabulary.ids.pad)
        words[:, max(0, steps - 2)] = self._vocabulary.ids.future_start
        for accepted in (0, 0, steps - 1):
            self.tick(given, shots, history, settings, Request(forced=Forced(words), accepted=accepted))
        self.reset()
        _log.info("the engine compiled and captured for %.1f s", time.perf_counter() - started)

    def tick(
        self,
        given: Prompt,
        images: Sequence[Shot] | torch.Tensor,
        history: tuple[np.ndarray, np.ndarray],
        settings: Settings,
        request: Request | None = None,
    ) -> Rollout:
        """Runs one tick.

        Args:
            images: the prompt's, or their patches on the device (`pixels.preprocess`), of which nothing is kept.
            history: (H, 3) positions in metres and (H, 3, 3) rotations, ego frame of t0.

        Raises:
            ValueError: more than the limits, or guidance.
        """
        self._check(given, settings)
        if _fingerprint(self._model) != self._seen_weights:
            _log.warning("the model's weights have changed; captures are made again")
            self._arrange()
        stages = Stages(self._model.device)
        with torch.inference_mode():
            result, slots, keys = self._tick(given, images, history, settings, request or Request(), stages)
            self._draft = draft.of(result) if self.switches.draft else ()
            if self.switches.prefix and keys:
                self._prefix.read_ahead(given, keys, slots, self._image_tokens(given))
        return result

    def _tick(
        self, given: Prompt, images: Any, history: tuple, settings: Settings, request: Request, stages: Stages
    ) -> tuple[Rollout, list[int], list[Hashable]]:
        keys: list[Hashable] = []
        if isinstance(images, torch.Tensor):
            slots = self._sight.of_patches(given.grids, images, stages)
        else:
            slots, keys = self._sight.of_shots(given.grids, images, stages)
        self.encoded = self._sight.encoded
        rows = self._features.rows(slots, self._image_tokens(given))
        guess = self._guess(given, settings, request.forced)
        first = self._prefix.take(given.ids, keys)
        text, wanted = self._text_of(given, rows, guess, first)
        self.read = len(text.ids)
        logits = self._prefill.read(text, first, self._features.values.flatten(1, 2), wanted)
        self._store.begin(len(given.ids), given.rope_delta)
        stages.mark("prefill")
        decoder = self._decoder(settings)
        steps = self._speak(decoder, logits, len(given.ids), guess, settings, request)
        stages.mark("decode")
        actions = self._act(decoder, given, settings, steps, request)
        stages.mark("flow")
        said, action = decoder.tokens[:, :steps].long().cpu().numpy(), actions.cpu().numpy()
        seconds = stages.seconds()
        result = outcome(self._model.config, self._vocabulary, self._scale, said, action, history, seconds)
        return result, slots, keys

    def _check(self, given: Prompt, settings: Settings) -> None:
        asked = {
            "samples": settings.samples,
            "tokens": settings.max_tokens,
            "prompt_tokens": len(given.ids),
            "images": len(given.grids),
        }
        for name, number in asked.items():
            if number > getattr(self.limits, name):
                raise ValueError(f"the engine was made for {getattr(self.limits, name)} {name}, not for {number}")
        if settings.guidance_weight is not None:
            raise ValueError("the engine does not guide; the plain path does")

    def _image_tokens(self, given: Prompt) -> list[int]:
        return [int(grid.prod()) // self._model.config.merge_size**2 for grid in given.grids]

    def _guess(self, given: Prompt, settings: Settings, forced: Forced) -> tuple[int, ...]:
        """The draft of a tick; it has room for one token more."""
        limit = settings.max_tokens if forced.tokens is None else forced.tokens.shape[1]
        usable = settings.samples == 1 and len(self._draft) < limit
        guess = self._draft if usable else ()
        self.drafted, self.accepted = len(guess), 0
        return guess

    def _text_of(self, given: Prompt, rows: np.ndarray, guess: tuple[int, ...], first: int) -> tuple[Text, slice]:
        """Prompt, draft and padding from entry `first` on, and the places whose logits choose the words."""
        length = len(given.ids)
        ids = np.full(padded(length + len(guess)), self._vocabulary.ids.pad)
        ids[: length + len(guess)] = np.concatenate([given.ids, guess])
        positions = np.broadcast_to(np.arange(len(ids)) + given.rope_delta, (3, len(ids))).copy()
        positions[:, :length] = given.positions
        places = np.flatnonzero(given.ids == self._model.config.image_token)
        late = places >= first
        parts = [ids[first:], *positions[:, first:], places[late] - first, rows[late]]
        packed = torch.from_numpy(np.concatenate(parts).astype(np.int64)).to(self._model.device, non_blocking=True)
        ids, *positions, places, rows = packed.split([len(part) for part in parts])
        text = Text(ids, torch.stack(positions), places, rows)
        return text, slice(length - 1 - first, length + len(guess) - first)

    def _decoder(self, settings: Settings) -> Decoder:
        key = settings.samples, settings.temperature, settings.top_p
        if key not in self._decoders:
            config, ids = self._model.config, self._vocabulary.ids
            masked = range(config.trajectory_start, config.trajectory_start + config.trajectory_tokens)
            choice = Choice(masked, settings.temperature, settings.top_p, (ids.future_start, ids.im_end, ids.pad))
            state = self._store.state.clone()
            self._decoders[key] = self._quickest(
                ("decode", *key),
                lambda ops: Decoder(
                    self._embed, self._weights(ops)[0], self._head, ops, self._store.of(settings.samples),
                    self._tables[0], settings.samples, choice, self._graphs, self._pool,
                ),
                lambda decoder: decoder.rehearse(),
            )  # fmt: skip
            self._store.state.copy_(state)
        return self._decoders[key]

    def _speak(
        self, decoder: Decoder, logits: torch.Tensor, length: int, guess: tuple[int, ...], settings: Settings,
        request: Request,
    ) -> int:  # fmt: skip
        """How many tokens the rows have in the end."""
        forced, kept = request.forced.tokens, None if request.trace is None else request.trace.logits
        limit = settings.max_tokens if forced is None else forced.shape[1]
        given = None if forced is None else torch.from_numpy(forced).to(self._model.device)
        decoder.begin(request.seed, given)
        if not guess:
            return decoder.run(logits, limit, forced is None, kept)
        drawn = decoder.draw(logits, verify=True).tolist()
        right = draft.agreed(drawn, guess) if request.accepted is None else min(request.accepted, len(guess))
        self.accepted = right
        said = [*guess[:right], drawn[right] if forced is None else int(forced[0, right])]
        self._store.move_behind(length, right)
        decoder.place(said)
        if kept is not None:
            kept += [row[None].float() for row in logits[: right + 1]]
        if right == len(guess) and forced is None:  # a draft ends with the stop, so one more token was the last
            return right + 1
        return decoder.resume(right + 1, limit, forced is None, kept)

    def _act(self, decoder: Decoder, given: Prompt, settings: Settings, steps: int, request: Request) -> torch.Tensor:
        """(R, N, 2) float32 actions behind what the rows said."""
        flow, captured = self._flow(settings)
        stopped = decoder.stops < twins.NEVER
        # The last token was never read, so nobody sees it; a row without a stop sees all that was read.
        flow.counts.copy_(torch.where(stopped, decoder.stops + 1, steps).clamp(max=steps - 1))
        place = torch.where(stopped, decoder.stops + 1, steps) + (len(given.ids) + given.rope_delta)
        flow.starts.copy_(place)
        forced = request.forced
        if forced.noise is None:
            noise = torch.randn(flow.noise.shape, device=flow.noise.device, generator=request.generator)
            flow.noise.copy_(noise * settings.noise_scale)
        else:
            flow.noise.copy_(torch.from_numpy(forced.noise))
        path = () if forced.path is None else torch.from_numpy(forced.path).to(flow.noise.device)
        actions, velocities = flow.run(path) if len(path) else captured()
        if request.trace is not None:
            request.trace.velocities += [velocity.clone() for velocity in velocities]
        return actions

    def _flow(self, settings: Settings) -> tuple[Flow, Captured]:
        steps = settings.flow_steps or self._model.config.flow_steps
        key = settings.samples, steps
        if key not in self._flows:
            store = self._store.of(settings.samples)

            def make(ops: Any) -> tuple[Flow, Captured]:
                flow = Flow(self._model, self._weights(ops)[1], ops, store, self._tables[1], settings.samples, steps)
                return flow, Captured(flow.run, self._graphs, pool=self._pool)

            self._flows[key] = self._quickest(("flow", *key), make, lambda made: made[1]())
        return self._flows[key]

    def _weights(self, ops: Any) -> tuple[weights.Stack, weights.Stack]:
        """The language model's and the expert's in the form that an arrangement of the kernels takes."""
        return self._loaded if ops is not twins and ops.as_loaded else (self._text, self._expert)

    def _quickest(self, what: tuple, make: Callable[[Any], Any], run: Callable[[Any], object]) -> Any:
        """What `make` makes of the kernels in their quickest arrangement; `what` begins with work and samples."""
        if self._ops is twins:
            return make(self._ops)
        quantised = self._text.layers[0].qkv.scale is not None
        ways = self._ops.ways(*what[:2], quantised, quantised and bool(self._loaded))
        sizes = [tuple(stack.layers[0].qkv.weight.shape) for stack in (self._text, self._expert)]
        switches, device = self.switches, torch.cuda.get_device_name(self._model.device)
        what = *what, switches.dependent_launch, switches.products, *sizes, device
        return quickest(what, ways, make, run, self._graphs)


def operations(switches: Switches, model: Alpamayo) -> Any:
    """The kernels for a model, or their twins where they do not apply: they are bfloat16 kernels for CUDA."""
    cuda = model.device.type == "cuda"
    if not (switches.kernels and cuda and model.dtype == torch.bfloat16 and importlib.util.find_spec("triton")):
        return twins
    from alpamayo_ros.vla.engine.kernels.fused import Fused

    generation, _ = torch.cuda.get_device_capability(model.device)
    return Fused(switches.dependent_launch and generation >= 9, rings=generation == 9)


def _fingerprint(model: Alpamayo) -> list[tuple[int, int]]:
    """Changes where any weight is changed in place, moved or replaced."""
    found, waiting = [], [model]
    while waiting:  # in a tenth of the time of `parameters()`, which makes up everybody's name
        module = waiting.pop()
        own = [weight for weight in module._parameters.values() if weight is not None]
        found += [(weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in own]
        waiting += [part for part in module._modules.values() if part is not None]
    return found
