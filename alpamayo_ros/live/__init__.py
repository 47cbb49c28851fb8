"""The small world live: its sensors on topics in real time, and a follower that drives by the path it hears.

    pace        the world's clock beside the wall's
    drive       one drive of the world step by step: traffic, sensors, follower, judge      (no ROS)
    topics      what is sent and heard, under the package's own names                       (no ROS)
    autoware    the same in Autoware's dress                                                (ROS)
    carla       the same in CARLA's dress                                                   (ROS)
    telling     lines for the terminal, the summary                                         (no ROS)
    album       plans and instants as pictures and a film                                   (no ROS)
    node        on ROS: `python -m alpamayo_ros world`                                      (ROS)

The driver under test runs in a process of its own and gets nothing but messages.
"""
