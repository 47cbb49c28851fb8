"""What the tests of the world share: one scene seen at one instant, and drives by the rule driver."""

from __future__ import annotations

from dataclasses import replace

from alpamayo_ros.world.cast import CAR_BODIES
from alpamayo_ros.world.closed_loop import Drive, Tick, run
from alpamayo_ros.world.episode import START_NS, Cameras, Episode, Size
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.scenario import Bend, Daylight, Scenario, Zone, draw
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import CarState, EgoState, PedestrianState, Snapshot

SMALL = Size(96, 160)


def scenario(family: str, seed: int = 0, **factors) -> Scenario:
    """A plain scenario of a family (straight, day, suburb), with some factors set."""
    plain = {
        "bend": Bend.STRAIGHT,
        "daylight": Daylight.DAY,
        "zone": Zone.SUBURB,
        "lateral_offset": 0.0,
        "heading_error": 0.0,
    }
    layout = draw(family, seed).layout
    return replace(draw(family, seed), **{"layout": layout, **plain, **factors})


def on_route(scene: Scene, s: float, speed: float = 8.0, d: float = 0.0) -> Snapshot:
    """The ego alone, on its lane at s."""
    x, y, yaw, _ = scene.roads.route.at(s, d)
    return Snapshot(START_NS, EgoState(x, y, yaw, speed))


def car_at(scene: Scene, s: float, d: float = 0.0, speed: float = 0.0, **rest) -> CarState:
    """A sedan on the main road."""
    x, y, yaw, _ = scene.roads.main.curve.at(s, d)
    rest.setdefault("name", "lead")
    return CarState(
        role="lead", x=x, y=y, yaw=yaw, speed=speed, body=CAR_BODIES["sedan"], style="sedan", paint=2, **rest
    )


def person_at(scene: Scene, s: float, d: float, speed: float = 0.0, leftward: bool = True) -> PedestrianState:
    """A pedestrian who faces across the main road."""
    x, y, yaw, _ = scene.roads.main.curve.at(s, d)
    turn = 1.5707963 if leftward else -1.5707963
    return PedestrianState("person", "pedestrian", x, y, yaw + turn, speed, 0.0, 0)


def drive_of(family: str, seed: int, seconds: float, cameras: Size | None = None) -> tuple[Episode, Drive, list[Tick]]:
    """The rule driver's drive and its ticks."""
    episode = Episode(draw(family, seed))
    ticks: list[Tick] = []
    drawn = Cameras(episode.scene, cameras) if cameras else None
    drive = run(episode, OraclePolicy(episode), seconds, cameras=drawn, on_tick=ticks.append)
    return episode, drive, ticks
