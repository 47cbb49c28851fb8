"""What is trained is what is driven with: the batched passes, the layout and the written checkpoint against `vla`."""

import numpy as np
import pytest
import torch

from alpamayo_ros import paths, vla
from alpamayo_ros.training import forward, layout, loop, vocabulary
from alpamayo_ros.training.objective import DRAWS, Notes, Objective, Tables, flow_times
from alpamayo_ros.training.optimiser import initialise, optimisers
from alpamayo_ros.training.recording import record, shapes
from alpamayo_ros.training.small import IMAGE
from alpamayo_ros.training.speech import Speaker
from alpamayo_ros.training.store import Store
from alpamayo_ros.vla import inputs, pixels
from alpamayo_ros.vla.model import create
from alpamayo_ros.vla.rollout import Forced, Settings, rollout
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.samples import Wanderer
from alpamayo_ros.world.scenario import Family, Scenario, draw
from alpamayo_ros.world.split import Split, scenarios

UNIT = {"accel_mean": 0.0, "accel_std": 1.0, "curvature_mean": 0.0, "curvature_std": 0.02}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small products are slower on several threads where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small():
    base = vocabulary.train()
    raw, base_raw, config = vocabulary.configure(base, UNIT)
    words = vocabulary.extended(base, config)
    model = create(config, "cpu", "float32", 0)
    initialise(model, 1)
    return base, raw, base_raw, model, words, layout.lay_out(config, words)


@pytest.fixture(scope="module")
def shipped():
    """(model, vocabulary, layout) of model/tiny."""
    loaded = vla.load(str(paths.model("tiny")), device="cpu", dtype="float32")
    return loaded.model, loaded.vocabulary, layout.lay_out(loaded.model.config, loaded.vocabulary)


@pytest.fixture(scope="module")
def ticks() -> list[Tick]:
    """Two instants of a drive with a command."""
    found = driven(draw("junction", 2), 0.4)
    return [found[0], found[-1]]


def driven(scenario: Scenario, seconds: float) -> list[Tick]:
    """The rule driver's ticks with images."""
    episode, found = Episode(scenario), []
    run(episode, OraclePolicy(episode), seconds, cameras=Cameras(episode.scene, IMAGE), on_tick=found.append)
    return found


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


def test_the_batched_answers_are_those_of_rollouts(shipped, ticks):
    model, words, tables = shipped
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
        assert answer.text == alone.reasoning[0]
        space = model.config.action_space
        scale = np.array([space.accel_std, space.curvature_std])
        mean = np.array([space.accel_mean, space.curvature_mean])
        assert np.allclose(answer.actions, alone.action * scale + mean, atol=2e-4)


def test_the_shipped_model_says_and_drives_what_the_rule_driver_does_on_held_out_roads(shipped):
    """Training and inference agree: what was learnt in batches comes out of `vla.load` and a rollout."""
    model, words, _ = shipped
    settings, same = Settings(samples=1, temperature=0.0, max_tokens=25), []
    for family in ("cones", "traffic_light", "lead_stopped", "light_turn"):
        scenario = next(scenarios(Split.HELD_OUT_SEED, (Family(family),)))
        tick = driven(scenario, 0.2)[-1]
        observation = tick.observation
        patches = pixels.preprocess(inputs.frames(observation), model.config, "cpu")
        past = observation.history_xyz, observation.history_rotation
        answer = rollout(model, words, prompt_of(model, words, observation), patches, past, settings)
        same.append(answer.reasoning[0] == tick.label.decision.text)
        assert np.linalg.norm(answer.motion.xyz[0] - tick.label.xyz, axis=-1).mean() < 2.0
    assert sum(same) >= 3  # a decision may come a moment earlier or later than the rule driver's


def test_a_short_fit_lowers_every_part_of_the_loss_and_what_it_learnt_is_loaded_again(small, tmp_path):
    base, raw, base_raw, _, _, tables = small
    drive = record(draw("junction", 2), Wanderer, 1.0, 0.0, None)
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
    noise, times = torch.randn((2, DRAWS, 64, 2), generator=generator), flow_times(2, generator)
    losses = []
    for _ in range(6):
        parts = objective(chosen, noise, times)
        losses.append({name: float(parts[name].detach()) for name in ("total", "words", "seen", "flow")})
        parts["total"].backward()
        for mover in movers:
            mover.step()
            mover.zero_grad()
    assert all(losses[-1][name] < 0.8 * losses[0][name] for name in losses[0]), (losses[0], losses[-1])
    loop.export(model, tmp_path / "model", raw, base_raw, base, torch.float32)
    loaded = vla.load(str(tmp_path / "model"))
    weights = loaded.model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
