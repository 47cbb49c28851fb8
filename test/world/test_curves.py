import numpy as np
import pytest

from alpamayo_ros.world.curves import STEP, Curve, smooth_turn


def winding(seed: int) -> Curve:
    rng = np.random.default_rng(seed)
    s = np.arange(0.0, 200.0, STEP)
    bends = 0.02 * np.sin(s / 17.0 + rng.uniform(0, 6)) + 0.01 * np.cos(s / 29.0)
    return Curve.from_curvature(bends, 3.0, -4.0, 1.0, start_s=-20.0)


def test_constant_curvature_is_a_circle():
    curve = Curve.from_curvature(np.full(400, 0.02), 0.0, 0.0, 0.0)
    centre = np.array([0.0, 50.0])
    assert np.allclose(np.linalg.norm(curve.xy - centre, axis=1), 50.0, atol=2e-3)
    assert curve.yaw[100] == pytest.approx(0.02 * 100 * STEP)


@pytest.mark.parametrize("seed", range(4))
def test_frenet_undoes_at(seed):
    curve = winding(seed)
    rng = np.random.default_rng(seed)
    for s, d in zip(rng.uniform(-15, 170, 50), rng.uniform(-5, 5, 50), strict=True):
        x, y, _, _ = curve.at(s, d)
        assert np.allclose(curve.frenet(np.array([x, y])), [s, d], atol=0.02)


def test_points_agree_with_at():
    curve = winding(1)
    s = np.linspace(-19, 175, 40)
    xy, yaw = curve.points(s, 1.5)
    for row, each in enumerate(s):
        x, y, heading, _ = curve.at(float(each), 1.5)
        assert np.allclose([*xy[row], yaw[row]], [x, y, heading])


def test_frenet_pose_gives_the_heading_along_the_curve():
    curve = winding(2)
    x, y, yaw, _ = curve.at(60.0, -1.0)
    s, d, heading = curve.frenet_pose(x, y, yaw + 0.1)
    assert (s, d, heading) == (
        pytest.approx(60.0, abs=0.02),
        pytest.approx(-1.0, abs=0.01),
        pytest.approx(0.1, abs=0.01),
    )


@pytest.mark.parametrize("extent", (8.2, 11.3))
@pytest.mark.parametrize("sign", (1.0, -1.0))
def test_a_turn_ends_at_a_right_angle_as_far_aside_as_ahead(extent, sign):
    bends = np.concatenate([[0.0], smooth_turn(sign * np.pi / 2, extent), [0.0]])
    curve = Curve.from_curvature(bends, 0.0, 0.0, 0.0)
    assert curve.yaw[-1] == pytest.approx(sign * np.pi / 2)
    assert curve.xy[-1] == pytest.approx([extent, sign * extent], abs=0.6)
