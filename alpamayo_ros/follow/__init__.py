"""From what a model intends to a path that a vehicle can follow: pure functions on plain values, no ROS.

    vehicle      where the vehicle is and how it moves, from odometry
    intent       one sample of a plan in the fixed frame, by place and by time
    tracking     a vehicle that drives the intent within bounds: the smoothed trajectory
    stopping     a comfortable stop, for when plans stop coming
    validator    Autoware's conditions on a trajectory, and this package's own
    keeper       which plan holds, when it is too old, and what to publish now

A trajectory is in the fixed frame of odometry (map, odom). Its `stamp_ns` is the time of its first point, which is the
vehicle's own pose at that time; every further point lies 0.1 s later.
"""
