"""The action space: golden vectors of decoding and its inverse, and the round trip."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from alpamayo_ros.geometry import matrix_from_yaw
from alpamayo_ros.unicycle import integrate
from alpamayo_ros.vla import unicycle
from alpamayo_ros.vla.config import ActionSpaceConfig

SPACE = ActionSpaceConfig(
    accel_mean=0.02902694707164455,
    accel_std=0.6810426736454882,
    curvature_mean=0.0002692167976330542,
    curvature_std=0.026148280660833106,
)
EXACT = unicycle.Scale.exact(SPACE)
ROUNDED = unicycle.Scale(0.029052734375, 0.6796875, 0.0002689361572265625, 0.026123046875)
K = np.arange(64)
ACTION = np.stack([0.5 * np.sin(0.1 * K), 0.8 * np.cos(0.07 * K)], axis=-1)


def curved_history():
    t = np.linspace(-1.5, 0, 16)
    return np.stack([8 * t + 0.3 * t**2, 0.05 * t**2, 0.01 * t], axis=-1), matrix_from_yaw(0.02 * t)


def straight_history(speed):
    t = np.linspace(-1.5, 0, 16)
    return np.stack([speed * t, 0 * t, 0 * t], axis=-1), matrix_from_yaw(0 * t)


def test_initial_speeds():
    assert unicycle.initial_speed(*straight_history(10.0), SPACE) == pytest.approx(9.999408, abs=2e-6)
    assert unicycle.initial_speed(*curved_history(), SPACE) == pytest.approx(7.999530, abs=5e-6)
    assert unicycle.initial_speed(*straight_history(0.0), SPACE) == 0


@pytest.mark.parametrize(
    ("scale", "rows"),
    [
        (
            EXACT,
            {
                0: (0.80004, 0.00678, 0.016952),
                1: (1.60031, 0.02713, 0.033873),
                9: (8.02413, 0.66428, 0.159197),
                31: (26.28155, 4.95550, 0.208717),
                63: (53.11094, 4.18815, -0.233604),
            },
        ),
        (
            ROUNDED,
            {
                0: (0.80004, 0.00678, 0.016936),
                1: (1.60031, 0.02710, 0.033841),
                9: (8.02412, 0.66363, 0.159042),
                31: (26.28066, 4.95023, 0.208514),
                63: (53.10893, 4.18401, -0.233349),
            },
        ),
    ],
)
def test_decoding_gives_the_golden_trajectory(scale, rows):
    speed = unicycle.initial_speed(*curved_history(), SPACE)
    motion = unicycle.decode(ACTION, speed, SPACE, scale)
    for k, (x, y, yaw) in rows.items():
        assert motion.xyz[k] == pytest.approx((x, y, 0), abs=3e-5)
        assert motion.yaw[k] == pytest.approx(yaw, abs=2e-6)


def test_the_inverse_gives_the_golden_actions():
    history = curved_history()
    motion = unicycle.decode(ACTION, unicycle.initial_speed(*history, SPACE), SPACE, EXACT)
    action = unicycle.encode(*history, motion.xyz, motion.rotation, SPACE, EXACT)
    assert action[0] == pytest.approx((-0.0018661, 0.8031940), abs=3e-4)
    assert action[63] == pytest.approx((0.0042360, -0.2398527), abs=3e-4)
    assert np.abs(action - ACTION).max(axis=0) == pytest.approx((4.2e-3, 3.2e-3), abs=4e-4)


def test_the_trajectory_keeps_the_height_of_the_history():
    motion = unicycle.decode(np.stack([ACTION, ACTION]), np.array([5.0, 6.0]), SPACE, EXACT, np.array([0.0, 1.5]))
    assert motion.xyz[:, :, 2].tolist() == [64 * [0.0], 64 * [1.5]]


def test_nothing_is_clipped_when_braking_through_zero():
    motion = unicycle.decode(np.tile([-8.0, 0.0], (64, 1)), 2.0, SPACE, EXACT)
    assert motion.speed[-1] < -20 and motion.xyz[-1, 0] < 0


def test_batches_are_rows_of_their_own():
    histories = [straight_history(3.0), curved_history()]
    xyz, rotation = (np.stack(parts) for parts in zip(*histories, strict=True))
    speeds = unicycle.initial_speed(xyz, rotation, SPACE)
    motion = unicycle.decode(np.stack([ACTION, -ACTION]), speeds, SPACE, EXACT)
    actions = unicycle.encode(xyz, rotation, motion.xyz, motion.rotation, SPACE, EXACT)
    for row, history in enumerate(histories):
        alone = unicycle.encode(*history, motion.xyz[row], motion.rotation[row], SPACE, EXACT)
        assert actions[row] == pytest.approx(alone, abs=1e-3)


FINE = 20  # steps of the truth's own integration in one step of the model's


def driven(speed, acceleration, curvature):
    """History and future cut from one finely integrated drive of 8 s, in the ego frame of t0."""
    xyz, yaw, _ = integrate(speed, acceleration, curvature, SPACE.dt / FINE)
    xyz, yaw = xyz[FINE - 1 :: FINE], yaw[FINE - 1 :: FINE]
    local = (xyz - xyz[15]) @ matrix_from_yaw(yaw[15])
    rotation = matrix_from_yaw(yaw - yaw[15])
    return local[:16], rotation[:16], local[16:], rotation[16:]


def controls(seed, at):
    """Acceleration and curvature between random knots a second apart."""
    rng, knots = np.random.default_rng(seed), np.arange(9.0)
    return np.interp(at, knots, rng.uniform(-2, 2, 9)), np.interp(at, knots, rng.uniform(-1, 1, 9)), rng


def moving(seed):
    """At 1 m/s and faster: |a| <= 2 m/s^2, jerk <= 4 m/s^3, radius >= 12.5 m, less steering when creeping."""
    at = np.arange(80 * FINE) * SPACE.dt / FINE
    acceleration, bend, rng = controls(seed, at)
    change = np.cumsum(acceleration) * SPACE.dt / FINE
    speed = max(rng.uniform(1.5, 30.0), 1.0 - change.min())
    speeds = speed + change
    curvature = bend * np.minimum(0.08, 4.0 / speeds**2) * np.clip((speeds - 0.5) / 1.5, 0, 1)
    return driven(speed, acceleration, curvature)


def stopping(seed):
    """Brakes to a standstill on a bend, and drives on."""
    at = np.arange(80 * FINE) * SPACE.dt / FINE
    _, bend, rng = controls(seed, at)
    speed = rng.uniform(2.0, 12.0)
    wish = np.interp(at, [0, 1.6, 2.6, 5.6, 6.6, 8.0], [0, 0, -rng.uniform(1, 4), -3, 1, 1])
    speeds = np.maximum(speed + np.cumsum(wish) * SPACE.dt / FINE, 0.0)
    acceleration = np.diff(speeds, prepend=speed) / (SPACE.dt / FINE)
    return driven(speed, acceleration, bend * np.minimum(0.08, 4.0 / np.maximum(speeds, 1.0) ** 2))


def round_trip_error(drive):
    """Metres between a drive's future and the decoding of its encoding, at the worst step."""
    history, future = drive[:2], drive[2:]
    action = unicycle.encode(*history, *future, SPACE, EXACT)
    motion = unicycle.decode(action, unicycle.initial_speed(*history, SPACE), SPACE, EXACT)
    return np.linalg.norm(motion.xyz - future[0], axis=-1).max()


@settings(max_examples=200, deadline=None)
@given(strategies.integers(0, 10**6))
def test_a_feasible_drive_survives_encoding_and_decoding_within_five_centimetres(seed):
    assert round_trip_error(moving(seed)) < 0.05


@settings(max_examples=100, deadline=None)
@given(strategies.integers(0, 10**6))
def test_a_drive_that_stops_survives_within_five_centimetres_too(seed):
    assert round_trip_error(stopping(seed)) < 0.05
