import pytest

from alpamayo_ros.contract import REFERENCE_ROLE, Reason
from alpamayo_ros.input_watch import InputWatch


def fed(watch, stream, times, publisher="a"):
    """The refusals of messages at these times, each with its own stamp."""
    for at in times if stream == REFERENCE_ROLE else ():
        watch.frame(round(at * 1e9), at)
    return [refusal for refusal in (watch.arrived(stream, publisher, at) for at in times) if refusal]


def ticks(start, stop, step):
    return [start + k * step for k in range(round((stop - start) / step))]


@pytest.mark.parametrize("stream", ["cross_left", "odometry"])
def test_two_publishers_on_a_stream_are_refused_both_until_one_is_alone(stream):
    watch = InputWatch(REFERENCE_ROLE, False)
    assert not fed(watch, stream, ticks(0, 1, 0.1))
    assert fed(watch, stream, [1.05], "b")[0].reason is Reason.SEVERAL_PUBLISHERS
    assert fed(watch, stream, [1.1])
    assert fed(watch, stream, [1.4]) and not fed(watch, stream, [1.5, 1.6])


def test_a_publisher_that_was_started_again_is_no_second_one():
    watch = InputWatch(REFERENCE_ROLE, False)
    fed(watch, "cross_left", [0.0, 0.1])
    assert not fed(watch, "cross_left", [0.6, 0.7], "b")


def test_commands_may_come_from_anybody():
    watch = InputWatch(REFERENCE_ROLE, False)
    assert not fed(watch, "command", [0.0], "a") and not fed(watch, "command", [0.1], "b")


@pytest.mark.parametrize(
    ("stream", "rate", "floods"),
    [("cross_left", 60, False), ("cross_left", 100, True), ("odometry", 400, False), ("odometry", 1000, True),
     ("command", 10, False), ("command", 100, True)],
)  # fmt: skip
def test_a_flood_is_named(stream, rate, floods):
    watch = InputWatch(REFERENCE_ROLE, False)
    found = []
    for at in ticks(0, 1.2, 1 / rate):
        watch.arrived(stream, "a", at)
        found += watch.look(at, 0)
    assert [(each.reason, each.stream) for each in found[:1]] == [(Reason.STREAM_FLOOD, stream)] * floods


@pytest.mark.parametrize("phase", [0.0, 0.13, 0.26, 0.39])
def test_a_flood_is_named_soon_wherever_it_begins_and_of_every_stream(phase):
    watch, said = InputWatch(REFERENCE_ROLE, False), []
    begins = 1.0 + phase
    for step in range(300):
        now = step / 100
        for stream in ("cross_left", "cross_right"):
            if now >= begins + 0.1 * (stream == "cross_right") or step % 10 == 0:
                watch.arrived(stream, "a", now)
        if step % 5 == 0:
            said += [(now, each.stream) for each in watch.look(now, 0) if each.reason is Reason.STREAM_FLOOD]
    for stream, began in (("cross_left", begins), ("cross_right", begins + 0.1)):
        times = [now for now, of in said if of == stream]
        assert began < times[0] < began + 0.56
        assert len(times) <= (3.0 - times[0]) / 0.5 + 1


@pytest.mark.parametrize("pace", [0.1, 0.5])
def test_silence_of_the_reference_camera_is_named_by_its_own_pace(pace):
    watch = InputWatch(REFERENCE_ROLE, False)
    assert watch.silent(5.0) is None, "before its first frame there is another name for it"
    fed(watch, REFERENCE_ROLE, ticks(0, 5, pace))
    last = 5 - pace
    assert watch.silent(last + max(0.55, 4 * pace)) is None
    said = watch.silent(last + max(0.65, 5.5 * pace))
    assert said.reason is Reason.CAMERA_STALE and said.stream == REFERENCE_ROLE
    assert watch.silent(last + max(0.7, 5.6 * pace)) is None, "once a second"


def test_a_reference_camera_that_sends_one_message_again_and_again_is_silent():
    watch = InputWatch(REFERENCE_ROLE, False)
    fed(watch, REFERENCE_ROLE, ticks(0, 1, 0.1))
    for at in ticks(1, 1.7, 0.1):
        watch.frame(round(0.9 * 1e9), at)
    assert watch.silent(1.6).reason is Reason.CAMERA_STALE


def test_a_process_that_was_not_run_says_so():
    watch = InputWatch(REFERENCE_ROLE, False)
    assert not watch.look(0.0, 0) and not watch.look(0.05, 0)
    assert [each.reason for each in watch.look(2.05, 0)] == [Reason.PROCESS_STALLED]
    assert not watch.look(2.1, 0)


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("frames", [True, False])
def test_a_clock_that_stands_while_frames_come_is_named(simulated, frames):
    watch = InputWatch(REFERENCE_ROLE, simulated)
    found = []
    for at in ticks(0, 1.0, 0.05):
        if frames:
            watch.frame(round(at * 1e9), at)
        found += watch.look(at, 7)
    assert bool(found) == (simulated and frames)
    assert all(each.reason is Reason.CLOCK_STOPPED for each in found)
