"""What is too large is refused by name before it is kept or decoded, and the node drives on."""

from ros.graph import jpeg
from sensor_msgs.msg import CompressedImage
from waiting import wait_for


def large(height, width):
    return lambda message, number: (
        CompressedImage(format="jpeg", data=jpeg(number, height, width)) if message.stream == "front_tele" else None
    )


def refusals(graph):
    status = graph.status()
    return status[2] if status else {}


def test_an_image_beyond_the_size_costs_its_ticks_and_is_named(graph):
    graph.start(max_image_width=32, max_image_height=32)
    graph.play(seconds=2.0, image=large(16, 40))
    wait_for(lambda: int(refusals(graph).get("refused.image_size", 0)) > 0)
    assert graph.published == 0


def test_a_message_beyond_the_bytes_is_not_kept(graph):
    graph.start(max_image_bytes=2000)
    graph.play(seconds=2.0, image=large(400, 400))
    wait_for(lambda: int(refusals(graph).get("refused.image_size", 0)) > 0)
    assert graph.published == 0 and graph.driver._session.observer._cameras["front_tele"].newest_ns is None
    graph.reset()
    graph.play(seconds=2.5)
    wait_for(lambda: graph.published)
