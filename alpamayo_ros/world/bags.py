"""The small world as a bag: an episode under the rule driver, recorded like a vehicle's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.world import wire
from alpamayo_ros.world.closed_loop import FOLLOW_NS
from alpamayo_ros.world.episode import START_NS, STEP_NS, Cameras, Episode, Size, Timing
from alpamayo_ros.world.follower import path_in_world, track
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.vehicle import Control

# A day in November: a bag's stamps look like a vehicle's.
EPOCH_NS = 1_795_000_000 * SECOND_NS
FULL_HD = Size(1080, 1920)
# What a real vehicle's cameras do: four rates, and stamps that jitter.
UNEVEN = {
    "cross_left": Timing(20.0, 0.011, 0.003),
    "front_wide": Timing(30.0, 0.000, 0.002),
    "cross_right": Timing(15.0, 0.023, 0.003),
    "front_tele": Timing(10.0, 0.017, 0.004),
}


def record(
    path: Path,
    scenario: Scenario,
    seconds: float,
    timings: Mapping[str, Timing] = UNEVEN,
    size: Size = FULL_HD,
    progress: Callable[[float], None] = lambda share: None,
) -> Path:
    """Drives an episode with the rule driver and writes it as an mcap bag with the driver's own topic names.

    Args:
        path: the bag's directory, which must not exist.
        progress: called with the share that is done, now and then.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    episode = Episode(scenario, timings)
    cameras = Cameras(episode.scene, size)
    shift = EPOCH_NS - START_NS
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {"odometry": wire.ODOMETRY, "tf": wire.TF, "tf_static": wire.TF, "truth/cause": wire.STRING}
        for role in CAMERA_ROLES:
            topics[f"camera/{role}/image/compressed"] = wire.COMPRESSED
            topics[f"camera/{role}/camera_info"] = wire.CAMERA_INFO
        if scenario.command:
            topics["command"] = wire.STRING
        open_topics = {
            name: writer.add_connection(f"/{name}", kind, typestore=wire.store()) for name, kind in topics.items()
        }

        def write(name: str, at_ns: int, data: bytes) -> None:
            writer.write(open_topics[name], at_ns + shift, data)

        write("tf_static", START_NS, wire.static_transforms(START_NS + shift))
        if scenario.command:
            write("command", START_NS, wire.text(scenario.command))
        control = Control(0.0, 0.0)
        for step in range(round(seconds * SECOND_NS) // STEP_NS):
            now, ego = episode.now_ns, episode.snapshot.ego
            if step * STEP_NS % FOLLOW_NS == 0:
                plan = rule_plan(episode.scene, episode.snapshot)
                control = track(path_in_world(plan, ego.x, ego.y, ego.yaw), ego, now)
                write("truth/cause", now, wire.text(plan.reasoning[plan.chosen]))
            write("odometry", now, wire.odometry(now + shift, ego))
            write("tf", now, wire.transform(now + shift, ego))
            for stamp, role in episode.exposures():
                image = cameras.render(role, episode.at(stamp))
                write(f"camera/{role}/image/compressed", now, wire.compressed_image(role, stamp + shift, image))
                info = wire.camera_info(role, stamp + shift, size.height, size.width)
                write(f"camera/{role}/camera_info", now, info)
            if step % 25 == 0:
                progress(step * STEP_NS / (seconds * SECOND_NS))
            episode.step(control)
    return path
