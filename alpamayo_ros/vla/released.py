"""The sizes of the released 10B models as the dicts that `config.parse` reads, and a tiny model of the same form.

For benches and for training from nothing; loading a checkpoint reads its own files. Specification sections 2.1, 2.2
and 4.1.
"""

from __future__ import annotations

from typing import Any

from alpamayo_ros.vla.tokens import special_names

_BASE_TOKENS = 151669
_NATIVE = {"image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652}
_ROPE = {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"}
_TEXT = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 12288,
    "max_position_embeddings": 262144,
    "model_type": "qwen3_vl_text",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-6,
    "rope_scaling": _ROPE,
    "rope_theta": 5_000_000,
    "use_cache": True,
    "vocab_size": 151936,
}
_VISION = {
    "deepstack_visual_indexes": [8, 16, 24],
    "depth": 27,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_size": 1152,
    "in_channels": 3,
    "initializer_range": 0.02,
    "intermediate_size": 4304,
    "model_type": "qwen3_vl",
    "num_heads": 16,
    "num_position_embeddings": 2304,
    "out_hidden_size": 4096,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
_TINY_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
}
_TINY_VISION = {
    "deepstack_visual_indexes": [0, 1],
    "depth": 3,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "out_hidden_size": 64,
}
_ACTION_SPACE = {
    "dt": 0.1,
    "n_waypoints": 64,
    "accel_mean": 0.02902694707164455,
    "accel_std": 0.6810426736454882,
    "curvature_mean": 0.0002692167976330542,
    "curvature_std": 0.026148280660833106,
    "accel_bounds": [-9.8, 9.8],
    "curvature_bounds": [-0.33, 0.33],
}


def base(tiny: bool = False) -> dict[str, Any]:
    """The base VLM's config.json: Qwen3-VL-8B (and Cosmos-Reason2-8B), or a tiny one with its vocabulary."""
    return {
        **_NATIVE,
        "model_type": "qwen3_vl",
        "text_config": _TEXT | (_TINY_TEXT if tiny else {}),
        "vision_config": _VISION | (_TINY_VISION if tiny else {}),
        "tie_word_embeddings": False,
    }


def config(variant: str, tiny: bool = False, base_name: str = "vlm_base") -> dict[str, Any]:
    """config.json of "r1" or "1_5", with the released vocabulary; `base_name` is where the base lies."""
    start = _BASE_TOKENS + 4000
    # `image_pad` is the base's own, so the ids after it are one lower than their place in the list.
    names = [name for name in special_names(variant) if name != "image_pad"]
    ids = {name: start + place for place, name in enumerate(names)}
    six = ("history", "future", "history_start", "future_start", "history_end", "future_end")
    return {
        "model_type": {"r1": "alpamayo_r1", "1_5": "alpamayo1_5"}[variant],
        "model_dtype": "bfloat16",
        "vlm_name_or_path": base_name,
        "vlm_backend": "qwenvl3",
        "vocab_size": start + len(names),
        "traj_vocab_size": 4000,
        "traj_token_start_idx": _BASE_TOKENS,
        "traj_token_ids": {key: ids[f"traj_{key}"] for key in six},
        "tokens_per_history_traj": 48,
        "tokens_per_future_traj": 128,
        "add_special_tokens": True,
        "expert_non_causal_attention": True,
        "min_pixels": 163840,
        "max_pixels": 196608,
        "expert_cfg": (
            {"hidden_size": 96, "num_attention_heads": 2, "head_dim": 128, "intermediate_size": 192}
            if tiny
            else {"hidden_size": 2048, "num_attention_heads": 16, "head_dim": 128, "intermediate_size": 8256}
        ),
        "action_in_proj_cfg": {"hidden_size": 512, "num_enc_layers": 2, "num_fourier_feats": 20, "max_freq": 100.0},
        "action_space_cfg": _ACTION_SPACE,
        "traj_tokenizer_cfg": {"num_bins": 3000},
        "diffusion_cfg": {"int_method": "euler", "num_inference_steps": 10},
    }
