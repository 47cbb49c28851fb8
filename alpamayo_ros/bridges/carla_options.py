"""The parameters of CARLA's nodes, one table each: declared, described and documented from here."""

from __future__ import annotations

from alpamayo_ros.bridges.carla_topics import ROLE
from alpamayo_ros.params import Parameter

_ROLE = Parameter("role_name", ROLE, "The vehicle's role_name, which its topics begin with.", read_only=True)

FOLLOWER = (
    _ROLE,
    Parameter("follow", True, "Hold wheel and pedals; false: only say where the rear axle is.", read_only=True),
    Parameter("max_path_age", 1.0, "An older path is braked for, s.", (0.1, 10.0), read_only=True),
    Parameter("wheelbase", 0.0, "Between the axles, m; 0: all from vehicle_info.", (0.0, 20.0), read_only=True),
    Parameter("rear_axle_x", 0.0, "Rear axle ahead of the actor's origin, m: negative.", (-20.0, 20.0), read_only=True),
    Parameter("max_steer_angle", 0.0, "Of the front wheels at a steer of 1, rad.", (0.0, 1.57), read_only=True),
)
ODOMETRY = (
    _ROLE,
    Parameter("host", "localhost", "Where the simulator runs.", read_only=True),
    Parameter("port", 2000, "The simulator's port; its PythonAPI uses the next one too.", (1, 65534), read_only=True),
)
