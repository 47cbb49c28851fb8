"""What a checkpoint says about itself: `config.json` and the base VLM's config, as frozen values.

The released files hold paths of Python classes (`_target_`); they are never imported: the fields are read here, by
name, and what this code cannot compute is refused. Every size is a value, so a model of other sizes is another
`config.json`. No torch, no transformers. Field names and defaults: shared model specification, sections 2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.vla.errors import CheckpointError

VARIANTS = {"alpamayo_r1": "r1", "alpamayo1_5": "1_5"}
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class ActionInputConfig:
    """Sizes of the projection of noisy actions into the expert (section 2.4)."""

    hidden_size: int = 1024
    layers: int = 4
    fourier_features: int = 20
    max_frequency: float = 100.0


@dataclass(frozen=True)
class ActionSpaceConfig:
    """The normalised unicycle actions and the smoothing weights of their inverse (sections 2.8, 2.9)."""

    dt: float = 0.1
    n_waypoints: int = 64
    accel_mean: float = 0.0
    accel_std: float = 1.0
    curvature_mean: float = 0.0
    curvature_std: float = 1.0
    accel_bounds: tuple[float, float] = (-9.8, 9.8)
    curvature_bounds: tuple[float, float] = (-0.2, 0.2)
    theta_lambda: float = 1e-6
    theta_ridge: float = 1e-8
    v_lambda: float = 1e-6
    v_ridge: float = 1e-4
    a_lambda: float = 1e-4
    a_ridge: float = 1e-4
    kappa_lambda: float = 1e-4
    kappa_ridge: float = 1e-4


@dataclass(frozen=True)
class HistoryConfig:
    """The history tokenizer: per-axis range of one step's displacement in metres, and bins (section 1.5)."""

    low: tuple[float, float, float] = (-4.0, -4.0, -10.0)
    high: tuple[float, float, float] = (4.0, 4.0, 10.0)
    bins: int = 1000
    tokens: int = 48


@dataclass(frozen=True)
class ModelConfig:
    """One Alpamayo model.

    Attributes:
        variant: "r1" or "1_5": the prompt, and which buffers the checkpoint holds.
        base: the VLM's configuration as a plain dict (`text_config`, `vision_config`, token ids), vocabulary extended.
        base_name: `vlm_name_or_path`: where the base configuration and tokenizer are.
        expert: the fields in which the expert's text stack differs from the VLM's.
        vocab_size: tokens after the extension.
        trajectory_start: id of `<i0>`, the length of the base tokenizer.
        trajectory_tokens: how many `<i...>` there are (future bins first, then history bins).
        future_bins: how many of them are the future's; history ids come after.
        trajectory_ids: the six ids that config.json names, checked against the tokenizer.
        min_pixels, max_pixels: bounds of the resize rule.
        dtype: the weights' own dtype.
        cameras: the roles that a prompt holds, in order.
    """

    variant: str
    base: Mapping[str, Any]
    base_name: str
    expert: Mapping[str, int]
    vocab_size: int
    trajectory_start: int
    trajectory_tokens: int
    future_bins: int
    trajectory_ids: Mapping[str, int]
    history: HistoryConfig
    action_input: ActionInputConfig
    action_space: ActionSpaceConfig
    flow_steps: int = 10
    min_pixels: int = 163840
    max_pixels: int = 196608
    dtype: str = "bfloat16"
    cameras: tuple[str, ...] = CAMERA_ROLES

    @property
    def takes_command(self) -> bool:
        """Whether the prompt has a place for a navigation text (R1 has none)."""
        return self.variant == "1_5"

    @property
    def stores_buffers(self) -> bool:
        """Whether the checkpoint holds the Fourier frequencies and the action statistics (R1 does)."""
        return self.variant == "r1"

    @property
    def text(self) -> Mapping[str, Any]:
        return self.base["text_config"]

    @property
    def vision(self) -> Mapping[str, Any]:
        return self.base["vision_config"]

    @property
    def expert_text(self) -> dict[str, Any]:
        """The expert's own text configuration (section 2.2): the VLM's with the overrides."""
        return {**self.text, **self.expert}

    @property
    def patch_size(self) -> int:
        return self.vision["patch_size"]

    @property
    def merge_size(self) -> int:
        return self.vision["spatial_merge_size"]

    @property
    def temporal_patch_size(self) -> int:
        return self.vision["temporal_patch_size"]

    @property
    def image_token(self) -> int:
        """Id of `<|image_pad|>`, the placeholder of one merged image token."""
        return self.base["image_token_id"]

    @property
    def history_start(self) -> int:
        """Id of the history's bin 0 (section 1.5)."""
        return self.trajectory_start + self.future_bins


def parse(config: Mapping[str, Any], base: Mapping[str, Any]) -> ModelConfig:
    """`config.json` and the base VLM's `config.json` -> ModelConfig.

    Raises:
        CheckpointError: a missing field, a foreign model type, or a setting that this code cannot compute.
    """
    variant = VARIANTS.get(_field(config, "model_type"))
    if variant is None:
        raise CheckpointError(
            f"config.json: model_type is '{config['model_type']}'; this code loads {', '.join(VARIANTS)}. "
            "Point it at an Alpamayo R1 or 1.5 checkpoint."
        )
    _refuse_unsupported(config)
    vocab_size = _field(config, "vocab_size")
    future = config.get("traj_tokenizer_cfg") or {}
    return ModelConfig(
        variant=variant,
        base=_normalised_base(base, vocab_size),
        base_name=config.get("vlm_name_or_path", "unnamed"),
        expert={key: value for key, value in _field(config, "expert_cfg").items() if not key.startswith("_")},
        vocab_size=vocab_size,
        trajectory_start=_field(config, "traj_token_start_idx"),
        trajectory_tokens=config.get("traj_vocab_size", 4000),
        future_bins=future.get("num_bins", 3000),
        trajectory_ids=dict(config.get("traj_token_ids") or {}),
        history=_history(config),
        action_input=_action_input(config.get("action_in_proj_cfg") or {}),
        action_space=_action_space(_field(config, "action_space_cfg")),
        flow_steps=(config.get("diffusion_cfg") or {}).get("num_inference_steps", 10),
        min_pixels=config.get("min_pixels", 163840),
        max_pixels=config.get("max_pixels", 196608),
        dtype=_dtype(config),
        cameras=tuple(config.get("cameras", CAMERA_ROLES)),
    )


def _field(config: Mapping[str, Any], name: str) -> Any:
    if name not in config:
        raise CheckpointError(f"config.json has no field '{name}'; is this an Alpamayo checkpoint?")
    return config[name]


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    """Settings with which the released code would compute something else than this code does."""
    required = {
        "expert_non_causal_attention": True,
        "add_special_tokens": True,
        "vlm_backend": "qwenvl3",
    }
    for name, value in required.items():
        if config.get(name, value) != value:
            raise CheckpointError(f"config.json: {name} = {config[name]!r} is not supported, only {value!r}")
    method = (config.get("diffusion_cfg") or {}).get("int_method", "euler")
    if method != "euler":
        raise CheckpointError(f"config.json: diffusion_cfg.int_method = '{method}' is not supported, only 'euler'")


def _normalised_base(base: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
    """The base configuration with the extended vocabulary, and RoPE spelled one way.

    transformers 5 writes `rope_parameters` where 4.57 reads `rope_theta` and `rope_scaling`; both read the latter.
    """
    absent = [name for name in ("text_config", "vision_config", "image_token_id") if name not in base]
    if absent:
        raise CheckpointError(
            f"the base VLM's config.json (model_type '{base.get('model_type')}') has no {' and no '.join(absent)}; "
            "the base must be a Qwen3-VL"
        )
    text = dict(base["text_config"])
    rope = dict(text.pop("rope_parameters", None) or text.get("rope_scaling") or {})
    text["rope_theta"] = rope.pop("rope_theta", text.get("rope_theta"))
    text["rope_scaling"] = rope
    if rope.get("rope_type", "default") != "default":
        raise CheckpointError(f"the base VLM's rope_type '{rope['rope_type']}' is not supported, only 'default'")
    text["vocab_size"] = vocab_size
    vision = {key: value for key, value in base["vision_config"].items() if key != "rope_parameters"}
    # The checkpoints hold the head and the embedding as two tensors, whatever the base model does.
    text["tie_word_embeddings"] = False
    whole = {"text_config": text, "vision_config": vision, "vocab_size": vocab_size, "tie_word_embeddings": False}
    return {**base, **whole}


def _dtype(config: Mapping[str, Any]) -> str:
    name = config.get("model_dtype") or config.get("dtype") or "bfloat16"
    if name not in DTYPES:
        raise CheckpointError(f"config.json: model_dtype '{name}' is not supported, only {' and '.join(DTYPES)}")
    return name


def _history(config: Mapping[str, Any]) -> HistoryConfig:
    given = config.get("hist_traj_tokenizer_cfg") or {}
    default = HistoryConfig()
    if given.get("predict_yaw", False):
        raise CheckpointError("config.json: a history tokenizer with yaw (predict_yaw) is not supported")
    return HistoryConfig(
        low=tuple(given.get("ego_xyz_min", default.low)),
        high=tuple(given.get("ego_xyz_max", default.high)),
        bins=given.get("num_bins", default.bins),
        tokens=config.get("tokens_per_history_traj", default.tokens),
    )


def _action_input(given: Mapping[str, Any]) -> ActionInputConfig:
    default = ActionInputConfig()
    return ActionInputConfig(
        hidden_size=given.get("hidden_size", default.hidden_size),
        layers=given.get("num_enc_layers", default.layers),
        fourier_features=given.get("num_fourier_feats", default.fourier_features),
        max_frequency=given.get("max_freq", default.max_frequency),
    )


def _action_space(given: Mapping[str, Any]) -> ActionSpaceConfig:
    names = ActionSpaceConfig.__dataclass_fields__
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if key in names}
    return ActionSpaceConfig(**values)
