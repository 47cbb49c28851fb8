"""What is trained is what is driven with: the batched passes, the layout and the written checkpoint against `vla`."""

import numpy as np
import pytest
import torch

from alpamayo_ros import vla
from alpamayo_ros.policies import load
from alpamayo_ros.training import forward, layout, loop, vocabulary
from alpamayo_ros.training.objective import DRAWS, Notes, Objective, Tables, flow_times, normalised
from alpamayo_ros.training.optimiser import initialise, optimisers
from alpamayo_ros.training.recording import PHYSICAL, record, shapes
from alpamayo_ros.training.small import IMAGE
from alpamayo_ros.training.speech import Speaker
from alpamayo_ros.training.store import Store
from alpamayo_ros.vla import inputs, pixels, unicycle
from alpamayo_ros.vla.model import create
from alpamayo_ros.vla.rollout import Forced, Settings, rollout
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.samples import Wanderer
from alpamayo_ros.world.scenario import draw

UNIT = {"accel_mean": 0.0, "accel_std": 1.0, "curvature_mean": 0.0, "curvature_std": 0.02}


@pytest.fixture(scope="module")
def small():
    base = vocabulary.train()
    raw, base_raw, config = vocabulary.configure(base, UNIT)
    words = vocabulary.extended(base, config)
    model = create(config, "cpu", "float32", 0)
    initialise(model, 1)
    return base, raw, base_raw, model, words, layout.lay_out(config, words)


@pytest.fixture(scope="module")
def ticks() -> list[Tick]:
    """Two instants of a drive with a command."""
    episode, found = Episode(draw("junction", 2)), []
    cameras = Cameras(episode.scene, IMAGE)
    run(episode, OraclePolicy(episode), 0.4, cameras=cameras, on_tick=found.append)
    return [found[0], found[-1]]


def prompt_of(model, words, observation):
    return inputs.driving_prompt(model.config, words, observation, observation.command)


def test_the_layout_is_what_a_rollout_reads(small, ticks):
    _, _, _, model, words, tables = small
    given = prompt_of(model, words, ticks[0].observation)
    command = layout.COMMANDS.index(ticks[0].observation.command)
    length = tables.prompts[command]
    assert np.array_equal(given.unfused_ids, tables.ids[command, 0, :length])
    assert np.array_equal(given.positions, tables.positions[:, :length])
    assert given.rope_delta == tables.rope_delta


def test_the_batched_answers_are_those_of_rollouts(small, ticks):
    _, _, _, model, words, tables = small
    noise = torch.randn(2, 3, 64, 2, generator=torch.Generator().manual_seed(3))
    observations = [tick.observation for tick in ticks]
    given = [prompt_of(model, words, observation) for observation in observations]
    frames = torch.from_numpy(np.stack([np.stack(inputs.frames(observation)) for observation in observations]))
    history = torch.from_numpy(np.stack([each.ids[tables.history] for each in given]))
    commands = np.array([layout.COMMANDS.index(observation.command) for observation in observations])
    answers = Speaker(model, words, tables)(frames, history, commands, noise)
    for observation, prompt, answer, start in zip(observations, given, answers, noise, strict=True):
        patches = pixels.preprocess(inputs.frames(observation), model.config, "cpu")
        past = observation.history_xyz, observation.history_rotation
        settings = Settings(samples=3, temperature=0.0, max_tokens=25)
        alone = rollout(model, words, prompt, patches, past, settings, forced=Forced(noise=start.numpy()))
        if alone.stops[0] >= 0:
            assert answer.text == alone.reasoning[0]
        space = model.config.action_space
        scale = np.array([space.accel_std, space.curvature_std])
        mean = np.array([space.accel_mean, space.curvature_mean])
        assert np.allclose(answer.actions, alone.action * scale + mean, atol=2e-4)


@pytest.mark.slow
def test_a_model_fitted_to_two_ticks_says_and_drives_them_after_loading(small, tmp_path):
    """Training and inference agree: what a few steps have learnt by heart comes out of `vla.load` and the policy."""
    base, raw, base_raw, _, words, tables = small
    torch.set_num_threads(2)
    drive = record(draw("junction", 2), Wanderer, 2.0, 0.0, None)
    config = vocabulary.configure(base, UNIT)[2]
    model = create(config, "cpu", "float32", 0)
    initialise(model, 1)
    store = Store(len(drive.frames) + 4, config, "cpu", (IMAGE.height, IMAGE.width))
    store.add(drive)
    chosen = store.draw(2, torch.Generator().manual_seed(4))
    notes = Notes(config.text["hidden_size"], **shapes())
    objective = Objective(model, notes, forward.fix(config, tables, "cpu"), Tables.of(tables, "cpu"))
    movers = optimisers([model, notes], fused=False)
    generator = torch.Generator().manual_seed(5)
    for _ in range(100):
        noise = torch.randn((2, DRAWS, 64, 2), generator=generator)
        losses = objective(chosen, noise, flow_times(2, generator))
        losses["total"].backward()
        for mover in movers:
            mover.step()
            mover.zero_grad()
    assert float(losses["said"]) == 1.0
    loop.export(model, tmp_path / "model", raw, base_raw, base, torch.float16)
    loaded = vla.load(str(tmp_path / "model"))
    answers = Speaker(*loaded, tables)(chosen.frames, chosen.history, chosen.command.numpy(), noise[:, :1])
    for row, answer in enumerate(answers):
        assert answer.text == layout.DECISIONS[chosen.decision[row]].text
        motion = unicycle.decode(answer.actions[0], float(chosen.speed[row]), PHYSICAL, unicycle.Scale.exact(PHYSICAL))
        truth = unicycle.decode(
            chosen.future[row].numpy(), float(chosen.speed[row]), PHYSICAL, unicycle.Scale.exact(PHYSICAL)
        )
        print(np.linalg.norm(motion.xyz - truth.xyz, axis=-1).mean())
        assert np.linalg.norm(motion.xyz - truth.xyz, axis=-1).mean() < 1.0
    assert normalised(chosen.future, config.action_space).shape == (2, 64, 2)
    policy = load("vla", checkpoint=str(tmp_path / "model"), device="cpu", temperature=0.0)
    assert policy.name == "vla"
