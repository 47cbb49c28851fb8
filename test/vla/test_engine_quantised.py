"""The engine's 8-bit presets on the CPU, by the kernels' twins: how far they may be from the exact one.

The trained small model is the judge of what a trajectory loses; random weights show that every product is quantised.
"""

import numpy as np
import pytest
import torch
from vla.engine_drives import Forced, Scene, difference, engine_of, noise_of, off, plain, stopped_words, tick
from vla.models import FOLDERS, shrunk

from alpamayo_ros import paths, vla
from alpamayo_ros.bench.tiny import observations
from alpamayo_ros.vla import quantise
from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.engine.weights import FEW, Matrix
from alpamayo_ros.vla.outcome import Settings

# Relative error of the logits with random weights: float8 has 3 bits of mantissa, int8 a 254th of a row's largest.
LOGITS = {"fp8": 0.2, "int8": 0.05}
# Metres of a trajectory of the trained model in 6.4 s, from the same words and noise.
TRAJECTORY = {"fp8": 0.4, "int8": 0.12}


@pytest.mark.parametrize("products", ["fp8", "int8"])
def test_rows_are_rounded_to_the_nearest(products):
    dtype = quantise.FORMATS[products]
    size = torch.tensor([1e-3, 1.0, 40.0, 7.0, 0.0])
    x = torch.randn(5, 300, generator=torch.Generator().manual_seed(0)) * size[:, None]
    small, scale = quantise.rows(x, dtype)
    back = small.float() * scale[:, None]
    assert small.dtype == dtype and torch.equal(back[4], x[4])
    # e4m3: half a step of 2^-3 of the value, or of the smallest subnormal; int8: half a step of the row's.
    least = scale[:, None] * (2.0**-10 if products == "fp8" else 0.5)
    bound = torch.maximum(x.abs() * 2.0**-4, least) if products == "fp8" else least.expand_as(x)
    assert (back - x).abs().le(bound * 1.001).all()
    assert torch.allclose(back.abs().amax(1), x.abs().amax(1))


def test_large_products_of_float8_weights_take_float8_activations():
    generator = torch.Generator().manual_seed(1)
    x, weight = torch.randn(FEW + 1, 64, generator=generator), torch.randn(32, 64, generator=generator)
    for name, dtype in quantise.FORMATS.items():
        matrix = Matrix(*quantise.rows(weight, dtype))
        dequantised = matrix.weight.float() * matrix.scale[:, None]
        few, many = twins.linear(x[:FEW], matrix), twins.linear(x, matrix)
        assert torch.allclose(few, x[:FEW] @ dequantised.T, atol=1e-4)
        assert torch.allclose(many[:FEW], few, atol=1e-4) == (name == "int8")


@pytest.mark.parametrize("products", ["fp8", "int8"])
@pytest.mark.parametrize("variant", ["r1", "1_5"])
def test_logits_of_random_weights_stay_close(small, variant, products):
    loaded, scene = small[variant], Scene(0, 2)
    forced = Forced(stopped_words(loaded, 8), noise_of())
    exact, quantised = engine_of(loaded), engine_of(loaded, products)
    for k in range(2):
        (_, truth), (_, found) = (tick(engine, loaded, scene[k], forced=forced) for engine in (exact, quantised))
        assert 1e-3 < off(found.logits, truth.logits) < LOGITS[products]
        assert off(found.velocities[:1], truth.velocities[:1]) < LOGITS[products]


def test_a_model_that_is_loaded_quantised_is_the_engines_own_quantisation(small):
    """Weights in eight bits alone: the engine computes the same, and so does the plain path with float activations."""
    loaded = shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), weights="int8"))
    stored = [parameter for parameter in loaded.model.parameters() if parameter.dtype == torch.int8]
    assert len(stored) == 7 * 2 * len(loaded.model.expert.layers)
    scene, forced = Scene(1, 1), Forced(stopped_words(loaded, 6), noise_of())
    ours, a = tick(engine_of(loaded, "int8"), loaded, scene[0], forced=forced)
    theirs, b = tick(engine_of(small["1_5"], "int8"), small["1_5"], scene[0], forced=forced)
    assert difference(a.logits, b.logits) == 0 and np.array_equal(ours.action, theirs.action)
    _, c = plain(loaded, scene[0], forced=forced)
    assert difference(a.logits, c.logits) < 1e-4


@pytest.mark.parametrize("products", ["fp8", "int8"])
def test_the_trained_models_trajectories_hardly_move(products):
    """From the same words and noise; and the words that it would say itself are mostly the same."""
    loaded = vla.load(str(paths.model("tiny")))
    engines = engine_of(loaded, tokens=24), engine_of(loaded, products, tokens=24)
    settings, agreed, said = Settings(temperature=0.0, max_tokens=24, flow_steps=5), 0, 0
    for observation in observations(21)[::10]:
        truth, _ = tick(engines[0], loaded, observation, settings, forced=Forced(None, noise_of()))
        forced = Forced(truth.tokens, noise_of())
        found, trace = tick(engines[1], loaded, observation, settings, forced=forced)
        assert np.linalg.norm(found.motion.xyz - truth.motion.xyz, axis=-1).max() < TRAJECTORY[products]
        chosen = np.array([int(row.argmax()) for row in trace.logits])
        agreed, said = agreed + int((chosen == truth.tokens[0]).sum()), said + len(chosen)
    assert agreed >= 0.8 * said
