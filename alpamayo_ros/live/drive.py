"""One drive of the small world, step by step, with what goes out on its topics and the path that it follows.

It knows no ROS: what is to be published is handed out as (topic, serialized bytes), and paths come in as values. The
rule driver drives until the first path is heard; without a fresh path the vehicle brakes. Where somebody else holds the
wheel and the pedals (`obey`), paths only tell that the driver has begun, and nobody but them brakes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from alpamayo_ros.contract import CAMERA_ROLES, PLAN_OFFSETS_NS, SECOND_NS
from alpamayo_ros.live.topics import Plain, Sent, Topics
from alpamayo_ros.world.closed_loop import FOLLOW_NS, command_at
from alpamayo_ros.world.episode import START_NS, Cameras, Episode, Size
from alpamayo_ros.world.follower import EXPIRED_BRAKING, Path, path_in_world, track
from alpamayo_ros.world.judge import SAMPLE, Judge
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.state import EgoState, Snapshot
from alpamayo_ros.world.vehicle import Control

# A path older than this is not followed any more: the driver has fallen silent.
STALE_NS = SECOND_NS
# A drive ends this far before the end of the road (m).
ROAD_END = 60.0
LOOK_NS = int(SAMPLE * SECOND_NS)

Send = Callable[[str, bytes], None]


@dataclass
class LiveDrive:
    """A running scenario whose ego follows the paths that it is given.

    Args:
        command: the user's text instead of the scenario's own; None is the scenario's.
        send: takes each message's topic and bytes; called from two threads.
        topics: what is sent, and under which names.

    Attributes:
        instants: a snapshot every 0.1 s since the start.
        finished: whether the road ends here.
        policy_since: world time at which the first path came into force; None before.
        stale_for: world seconds that were braked for want of a fresh path.
        heard_age_ns: how old the newest path's t0 was when it came; None before.
        heard_frame: frame of the last path that came, whether it could be followed or not; "" before.
    """

    scenario: Scenario
    size: Size
    send: Send
    command: str | None = None
    topics: Topics = field(default_factory=Plain)
    instants: dict[int, Snapshot] = field(default_factory=dict)
    finished: bool = False
    policy_since: int | None = None
    stale_for: float = 0.0
    heard_age_ns: int | None = None
    heard_frame: str = ""

    def __post_init__(self) -> None:
        self.episode = Episode(self.scenario)
        self._cameras = Cameras(self.episode.scene, self.size)
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="cameras")
        self._exposed: list[Future] = []
        self._path: Path | None = None
        self._response: Callable[[EgoState], Control] | None = None
        self._control = Control(0.0, 0.0)
        self._judge = Judge(self.episode.scene)
        self._said: str | None = None

    @property
    def scene(self):
        return self.episode.scene

    @property
    def elapsed(self) -> float:
        """World seconds since the start."""
        return self.episode.elapsed

    @property
    def cameras_behind(self) -> bool:
        """Whether an earlier exposure's pictures are still being drawn."""
        self._exposed = [picture for picture in self._exposed if not _done(picture)]
        return len(self._exposed) > 0

    def warm_up(self) -> None:
        """Draws one picture of each camera, so that the first ones are no slower than the others."""
        for role in CAMERA_ROLES:
            self._cameras.render(role, self.episode.snapshot)

    def announce(self) -> None:
        """What is latched."""
        self._send_all(self.topics.announce())

    def hear(self, path: Path) -> None:
        """A newer path to follow, in the world's frame."""
        if self._path is None or path.stamps_ns[0] > self._path.stamps_ns[0]:
            self._path = path
            self.heard_age_ns = self.episode.now_ns - (int(path.stamps_ns[0]) - PLAN_OFFSETS_NS[0])
            if self.policy_since is None:
                self.policy_since = self.episode.now_ns

    def obey(self, response: Callable[[EgoState], Control]) -> None:
        """Wheel and pedals as they are held from now on: what they do to a vehicle in some state."""
        self._response = response

    def exposes_now(self) -> bool:
        """Whether the next step brings an exposure."""
        return self._since_start() % LOOK_NS == 0

    def step(self) -> None:
        """Sends what the sensors have at this instant, and moves the world on by 10 ms."""
        now, snapshot = self.episode.now_ns, self.episode.snapshot
        self._send_all(self.topics.instant(now, snapshot.ego))
        for stamp, role in self.episode.exposures():
            picture = self._renderer.submit(self._expose, role, stamp, self.episode.at(stamp))
            self._exposed.append(picture)
        if self._since_start() % LOOK_NS == 0:
            self.instants[now] = snapshot
            if self.policy_since is not None:
                self._judge.look(snapshot)
            s = self._place(snapshot)
            self.finished = s > self.scene.roads.route.end_s - ROAD_END
            text = self._text(s)
            if text != self._said:
                self._said = text
                self._send_all(self.topics.text(text))
        if self._since_start() % FOLLOW_NS == 0:
            self._follow(now, snapshot)
        self.episode.step(self._control)

    def verdict(self):
        """What the vehicle did under the driver's paths; None where there was never one."""
        return None if self.policy_since is None else self._judge.verdict()

    def close(self) -> None:
        self._renderer.shutdown(wait=True, cancel_futures=True)

    def _place(self, snapshot: Snapshot) -> float:
        """Metres along the route."""
        ego = snapshot.ego
        return self.scene.roads.route.frenet_pose(ego.x, ego.y, ego.yaw)[0]

    def _text(self, s: float) -> str:
        """The user's text at a place along the route."""
        words = self.scenario.command if self.command is None else self.command
        return command_at(words, self.scene.roads, s) if words else ""

    def _since_start(self) -> int:
        return self.episode.now_ns - START_NS

    def _expose(self, role: str, stamp: int, snapshot: Snapshot) -> None:
        image = self._cameras.render(role, snapshot)
        self._send_all(self.topics.exposure(role, stamp, image))

    def _send_all(self, messages: Sent) -> None:
        for topic, data in messages:
            self.send(topic, data)

    def _follow(self, now: int, snapshot: Snapshot) -> None:
        ego = snapshot.ego
        if self._path is None:
            rule = path_in_world(rule_plan(self.scene, snapshot), ego.x, ego.y, ego.yaw)
            self._control = track(rule, ego, now)
            return
        stale = now - int(self._path.stamps_ns[0]) > STALE_NS
        self.stale_for += stale * FOLLOW_NS / SECOND_NS
        if self._response is not None:
            self._control = self._response(ego)
        else:
            self._control = Control(ego.steering, EXPIRED_BRAKING) if stale else track(self._path, ego, now)


def _done(picture: Future) -> bool:
    """Whether a picture is out; an error in drawing it is raised here."""
    if not picture.done():
        return False
    picture.result()
    return True
