"""Checkpoints of several sizes, exported: the two recorded ones and an untrained one of the small model's size."""

from dataclasses import replace

from vla.models import FOLDERS

from alpamayo_ros.contract import make_example
from alpamayo_ros.export.command import export
from alpamayo_ros.ort.features import ImageFeatures
from alpamayo_ros.ort.rollout import Model
from alpamayo_ros.ort.sessions import Sessions
from alpamayo_ros.vla import inputs, reading

SOURCES = ("r1", "1_5", "small")
STATISTICS = {"accel_mean": 0.02, "accel_std": 0.7, "curvature_mean": 0.0003, "curvature_std": 0.026}


def untrained(folder):
    """A checkpoint of the small model's sizes and vocabulary with random weights."""
    from alpamayo_ros.training import vocabulary
    from alpamayo_ros.vla import checkpoint, model

    tokenizer = vocabulary.train()
    raw, base, config = vocabulary.configure(tokenizer, STATISTICS)
    checkpoint.write(model.create(config, "cpu", "float32", seed=0), folder, raw, base)
    vocabulary.save(tokenizer, folder / raw["vlm_name_or_path"])
    return folder


def exported(name, folder):
    """The folder with a source's checkpoint and its graphs."""
    if name == "small":
        return export(str(untrained(folder)))
    return export(str(FOLDERS[name] / "checkpoint"), folder)


def model(folder, torch_model):
    """The graphs with the configuration and the action statistics of a PyTorch model of the same weights."""
    _, vocabulary = reading.settings(folder)
    return Model(torch_model.config, vocabulary, torch_model.action_space.scale(), Sessions(folder, "cpu", threads=1))


def small_frames(config):
    """A configuration in which a 64x96 frame is 6 tokens, so that a tick takes a moment."""
    return replace(config, min_pixels=64 * 96, max_pixels=64 * 96)


def prepared(made, seed=0, command=""):
    """A random observation, its prompt and its image features."""
    observation = make_example(seed)
    prompt = inputs.driving_prompt(made.config, made.vocabulary, observation, command)
    return observation, prompt, ImageFeatures(made.sessions.vision, made.config)(observation)
