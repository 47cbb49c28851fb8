"""Every encoding of sensor_msgs/Image through DDS to the policy."""

import numpy as np
import pytest
from core.test_imaging import HEIGHT, LAYOUTS, WIDTH, rows
from ros import fake_policy
from sensor_msgs.msg import Image


@pytest.mark.parametrize("encoding", LAYOUTS)
def test_raw_images_of_every_encoding_reach_the_policy_as_rgb(graph, encoding):
    raw, expected, off_by = LAYOUTS[encoding]
    data, step = rows(raw).tobytes(), rows(raw).shape[1]

    def image(message, number):
        last = bytes([number % 256])  # a camera that moves never sends the same bytes twice
        return Image(height=HEIGHT, width=WIDTH, encoding=encoding, step=step, data=data[:-1] + last)

    graph.start(image_transport="raw")
    graph.play(seconds=2.0, image=image)
    graph.settle(0.1)
    assert graph.plans and fake_policy.seen
    got = fake_policy.seen[-1].images[2][1]
    assert np.abs(got[2:-2, 2:-2].astype(int) - expected[2:-2, 2:-2]).max() <= off_by


def test_an_encoding_nobody_knows_is_refused(graph):
    graph.start(image_transport="raw")
    unknown = {"height": 4, "width": 4, "encoding": "32FC1", "step": 16}
    graph.play(seconds=2.0, image=lambda m, n: Image(**unknown, data=bytes(63) + bytes([n % 256])))
    graph.settle()
    assert not graph.plans
    assert int(graph.status()[2]["refused.image_encoding"]) > 0
