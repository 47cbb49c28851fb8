"""`alpasim-play`: asks a running `alpasim` driver for plans, as the simulator would, with drives of the small world.

The drivers' verdicts come out as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from alpamayo_ros.bridges.alpasim import NEEDS, PORT
from alpamayo_ros.world.episode import Size
from alpamayo_ros.world.scenario import Family, draw


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        import grpc

        from alpamayo_ros.bridges import alpasim_messages as wire
        from alpamayo_ros.bridges.alpasim_client import caller, play
    except ImportError as error:
        print(f"{NEEDS} ({error})", file=sys.stderr)
        return 1
    scenarios = [draw(options.family, options.seed + k) for k in range(options.rollouts)]
    size = Size(options.height, options.width)
    with grpc.insecure_channel(options.address) as channel, ThreadPoolExecutor(options.rollouts) as pool:
        call = caller(channel)
        try:
            version = call("get_version", wire.Empty()).version_id
            drives = [
                pool.submit(play, call, scenario, f"{options.family}-{scenario.seed}", options.seconds, size)
                for scenario in scenarios
            ]
            verdicts = [asdict(drive.result()) for drive in drives]
        except grpc.RpcError as error:
            print(f"{options.address}: {error.code().name}: {error.details()}", file=sys.stderr)
            return 1
    rows = [
        {"family": options.family, "seed": scenario.seed, **verdict}
        for scenario, verdict in zip(scenarios, verdicts, strict=True)
    ]
    print(json.dumps({"driver": version, "rollouts": rows}, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros alpasim-play", description=__doc__)
    parser.add_argument("--address", default=f"127.0.0.1:{PORT}", help="of the driver: HOST:PORT")
    parser.add_argument("--family", default=Family.LEAD_BRAKING.value, choices=[family.value for family in Family])
    parser.add_argument("--seed", type=int, default=0, help="of the first scenario")
    parser.add_argument("--rollouts", type=int, default=1, help="scenarios at once, with consecutive seeds")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--height", type=int, default=96, help="of the images, pixels; the small model's own")
    parser.add_argument("--width", type=int, default=192)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
