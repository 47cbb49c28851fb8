"""The small model: its sizes, as `config.json` of a released checkpoint and of its base VLM.

The image size is the tele camera's need: a traffic light of 0.52 m, cited from 85 m on, is 2.2 pixels of 192.
"""

from __future__ import annotations

from typing import Any

from alpamayo_ros.vla.tokens import special_names
from alpamayo_ros.world.episode import Size

IMAGE = Size(96, 192)
LEAST_IMAGE = Size(96, 160)  # what a 320x576 frame becomes
FLOW_STEPS = 5
BINS = 256
HISTORY_LOW, HISTORY_HIGH = (-0.24, -0.5, -1.0), (1.8, 0.5, 1.0)  # metres in 0.1 s
BASE_FOLDER = "vlm_base"
LAYERS, HEADS, KV_HEADS, HEAD_DIM = 4, 4, 2, 48
WIDTH, VISION_WIDTH, EXPERT_WIDTH = 192, 160, 128
_IN_USE = {
    "history": "traj_history",
    "future": "traj_future",
    "history_start": "traj_history_start",
    "future_start": "traj_future_start",
    "history_end": "traj_history_end",
    "future_end": "traj_future_end",
}


def raw_config(base_tokens: int, statistics: dict[str, float]) -> dict[str, Any]:
    """`config.json` for a base tokenizer of so many entries.

    Args:
        statistics: `accel_mean`, `accel_std`, `curvature_mean`, `curvature_std` of the training labels.
    """
    added = [name for name in special_names("1_5") if name != "image_pad"]
    start = base_tokens + BINS
    ids = {f"<|{name}|>": start + index for index, name in enumerate(added)}
    return {
        "model_type": "alpamayo1_5",
        "architectures": ["Alpamayo1_5"],
        "vlm_name_or_path": BASE_FOLDER,
        "vlm_backend": "qwenvl3",
        "model_dtype": "float32",
        "add_special_tokens": True,
        "vocab_size": start + len(added),
        "traj_token_start_idx": base_tokens,
        "traj_vocab_size": BINS,
        "traj_token_ids": {name: ids[f"<|{token}|>"] for name, token in _IN_USE.items()},
        "traj_tokenizer_cfg": {"num_bins": 0},
        "hist_traj_tokenizer_cfg": {
            "ego_xyz_min": list(HISTORY_LOW), "ego_xyz_max": list(HISTORY_HIGH), "num_bins": BINS,
        },
        "tokens_per_history_traj": 48,
        "tokens_per_future_traj": 128,
        "min_pixels": LEAST_IMAGE.height * LEAST_IMAGE.width,
        "max_pixels": IMAGE.height * IMAGE.width,
        "expert_non_causal_attention": True,
        "expert_cfg": {
            "hidden_size": EXPERT_WIDTH, "intermediate_size": 320, "num_attention_heads": HEADS, "head_dim": HEAD_DIM,
        },
        "action_in_proj_cfg": {"hidden_size": 128, "num_enc_layers": 2, "num_fourier_feats": 20, "max_freq": 100.0},
        "action_space_cfg": {"dt": 0.1, "n_waypoints": 64, **statistics},
        "diffusion_cfg": {"int_method": "euler", "num_inference_steps": FLOW_STEPS},
    }  # fmt: skip


def base_config(image_token: int, video_token: int, vision_start: int, vision_end: int, tokens: int) -> dict[str, Any]:
    """`config.json` of the base VLM: a Qwen3-VL of small sizes."""
    return {
        "model_type": "qwen3_vl",
        "image_token_id": image_token,
        "video_token_id": video_token,
        "vision_start_token_id": vision_start,
        "vision_end_token_id": vision_end,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "qwen3_vl_text",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "head_dim": HEAD_DIM,
            "hidden_act": "silu",
            "hidden_size": WIDTH,
            "initializer_range": 0.02,
            "intermediate_size": 512,
            "max_position_embeddings": 2048,
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "num_key_value_heads": KV_HEADS,
            "rms_norm_eps": 1e-6,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [8, 8, 8], "rope_type": "default"},
            "rope_theta": 10000,
            "use_cache": True,
            "vocab_size": tokens,
        },
        "vision_config": {
            "model_type": "qwen3_vl",
            "deepstack_visual_indexes": [1],
            "depth": 4,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": VISION_WIDTH,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": 512,
            "num_heads": 5,
            "num_position_embeddings": 144,
            "out_hidden_size": WIDTH,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
        },
    }
