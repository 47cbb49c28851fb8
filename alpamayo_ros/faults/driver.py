"""The driver's process of a fault run: the real node, with the fake among its policies."""

from __future__ import annotations

import sys

from alpamayo_ros import policies
from alpamayo_ros.transport import use_profile

if __name__ == "__main__":
    use_profile()
    policies.register("fake", "alpamayo_ros.faults.policy")
    from alpamayo_ros.node import main

    sys.exit(main(sys.argv))
