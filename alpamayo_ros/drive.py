"""`drive`: the driver node as driver.launch.py starts it, for machines without the launch packages.

Everything after the options goes to ROS: `python -m alpamayo_ros drive -p policy:=baseline -r odometry:=/odom`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alpamayo_ros.paths import config
from alpamayo_ros.transport import use_profile


def ros_arguments(params_file: Path, rest: list[str]) -> list[str]:
    """The node's command line: the YAML first, so that what the user adds wins over it."""
    return ["--ros-args", "--params-file", str(params_file), *[word for word in rest if word != "--ros-args"]]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros drive", description=__doc__)
    parser.add_argument("--params-file", type=Path, default=None, help="parameters (default: config/driver.yaml)")
    options, rest = parser.parse_known_args(argv)
    params_file = options.params_file or config("driver.yaml")
    if not params_file.is_file():
        parser.error(f"--params-file {params_file} does not exist")
    remark = use_profile()
    if remark:
        print(remark, file=sys.stderr)
    from alpamayo_ros.node import main as run

    return run([sys.argv[0], *ros_arguments(params_file, rest)])
