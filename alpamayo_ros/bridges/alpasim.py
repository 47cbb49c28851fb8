"""`alpasim`: the driver that NVIDIA's simulator AlpaSim asks for plans, over gRPC, with any of the policies.

The same observer, policies and checks as the ROS node; no ROS. Images count at the end of their exposure, t0 is the
front camera's newest one, poses are the rig's in the simulator's local frame, and the answer is the chosen path in that
frame from the simulator's present on, each pose at its own time. Images are taken as they come: f-theta cameras are not
rectified.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading

from alpamayo_ros import policies
from alpamayo_ros.contract import CAMERA_ROLES, Policy, make_example
from alpamayo_ros.policies.options import named

PORT = 6789
# Threads beside those that plan: observations of one rollout come side by side.
OBSERVERS = 8
NEEDS = "AlpaSim's interface needs gRPC: pip install 'alpamayo_ros[alpasim]', or -r requirements/alpasim.txt"


def main(argv: list[str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        cameras = _cameras(options.camera)
        policy_options = dict(named(text) for text in options.option)
    except ValueError as error:
        parser.error(str(error))
    try:
        from alpamayo_ros.bridges.alpasim_service import Policies, Service, server
    except ImportError as error:
        print(f"{NEEDS} ({error})", file=sys.stderr)
        return 1
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def load() -> Policy:
        policy = policies.load(options.policy, **policy_options)
        policy(make_example(height=1080, width=1920))
        policy.reset()
        return policy

    try:
        service = Service(
            Policies(load, options.rollouts), options.policy, cameras, options.route_text, options.idle_timeout
        )
    except Exception as error:
        print(f"cannot load policy {options.policy!r}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    serving = server(service, options.rollouts + OBSERVERS, options.max_message << 20)
    address = f"{options.host}:{options.port}"
    try:
        port = serving.add_insecure_port(address)
    except RuntimeError as error:
        print(f"cannot listen on {address}: {error}; is another driver running there?", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    serving.start()
    print(f"policy {options.policy!r} drives for AlpaSim on {options.host}:{port}", flush=True)
    ended.wait()
    serving.stop(grace=2.0).wait()
    service.close()
    return 0


def _cameras(given: list[str]) -> dict[str, str]:
    """Role -> logical id, the model's four where none is named.

    Raises:
        ValueError: no such role, or no "=".
    """
    from alpamayo_ros.bridges.alpasim_rollout import CAMERAS

    cameras = {role: CAMERAS[role] for role in CAMERA_ROLES}
    for text in given:
        role, separator, identity = text.partition("=")
        if not separator or role not in cameras or not identity:
            raise ValueError(f"--camera {text!r} is not ROLE=ID with a role of {', '.join(cameras)}")
        cameras[role] = identity
    return cameras


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros alpasim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="to listen on; 0.0.0.0 is every address (no encryption)")
    parser.add_argument("--port", type=int, default=PORT, help="0 takes a free one and says which")
    parser.add_argument("--policy", default="onnx", choices=policies.names())
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the policy; repeatable")
    parser.add_argument(
        "--rollouts", type=int, default=4, help="at once, each with a policy of its own, loaded when it is needed"
    )
    parser.add_argument("--camera", action="append", default=[], metavar="ROLE=ID", help="a role's camera in AlpaSim")
    parser.add_argument("--route-text", action="store_true", help="say turns of the route to the model as its command")
    parser.add_argument("--max-message", type=int, default=32, metavar="MB", help="a larger request is refused")
    parser.add_argument(
        "--idle-timeout", type=float, default=600.0, metavar="S", help="a session this silent gives way to a new one"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
