"""The recorded checkpoints and what several tests do with a model."""

import copy
from dataclasses import replace
from pathlib import Path

import torch

from alpamayo_ros.contract import make_example
from alpamayo_ros.vla import decoding, flow, inputs, pixels
from alpamayo_ros.vla.sampling import replay

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDERS = {"r1": FIXTURES / "alpamayo_r1_tiny", "1_5": FIXTURES / "alpamayo_1_5_tiny"}
ROUTE = "Turn left in 40m"


def shrunk(loaded):
    """The same weights where a 64x96 frame is 6 tokens, so that a tick takes a moment."""
    model = copy.copy(loaded.model)
    model.config = replace(model.config, min_pixels=64 * 96, max_pixels=64 * 96)
    return loaded._replace(model=model)


def prepared(loaded, seed=0, command=""):
    """A prompt, its patches and its history, of a random observation."""
    observation = make_example(seed)
    prompt = inputs.driving_prompt(loaded.model.config, loaded.vocabulary, observation, command)
    patches = pixels.preprocess(inputs.frames(observation), loaded.model.config, loaded.model.device)
    return prompt, patches, (observation.history_xyz, observation.history_rotation)


def said(loaded):
    """A prompt read and two rows of five tokens decoded, with a stop early and late: what the flow starts from."""
    model, vocabulary = loaded
    prompt, patches, _ = prepared(loaded)
    state = decoding.prefill(model, prompt, model.encode_images(patches, prompt.grids))
    kv, stop = state.kv.expanded(2), vocabulary.ids.future_start
    tokens = torch.tensor([[65, stop, 66, 67, 68], [65, 66, 67, stop, 68]], device=model.device)
    for _ in decoding.decode(model, state, kv, replay(tokens), None, 5):
        pass
    offsets = flow.row_offsets(state.length, tokens, torch.tensor([1, 3], device=model.device))
    return flow.field(model, kv, offsets, state.rope_delta), state


def output_dtypes(modules, run):
    """Name -> dtype of what each module gives while `run` runs."""
    seen = {}

    def note(name):
        def hook(_module, _inputs, output):
            seen[name] = (output[0] if isinstance(output, tuple) else output).dtype

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    run()
    for hook in hooks:
        hook.remove()
    return seen
