"""A graph of this process's own: loopback only, a domain of its own, before anything imports rclpy."""

import os
import random

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 100))

from alpamayo_ros.transport import use_profile  # noqa: E402

use_profile()
