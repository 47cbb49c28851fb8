"""`python -m alpamayo_ros parameters`: the reference of all parameters in Markdown, from the declaring table."""

from __future__ import annotations

import sys

from alpamayo_ros.bridges import carla_options
from alpamayo_ros.bridges.autoware_options import TABLE as AUTOWARE
from alpamayo_ros.params import DRIVER, Parameter, Value, policy_parameters
from alpamayo_ros.policies import names

HEAD = """# Parameters

Made by `python -m alpamayo_ros parameters > docs/parameters.md`. Set them in a YAML file like
[config/driver.yaml](../config/driver.yaml) or with `-p name:=value`. All but `autostart` may be changed while the node
is unconfigured; a policy's own begin with its name. A bridge's are read when it starts.
"""


def main(argv: list[str]) -> int:
    print(markdown(), end="")
    return 0


def markdown() -> str:
    """The whole reference, a section for the driver and one for each policy."""
    sections = [
        ("Driver", DRIVER),
        *((f"Policy `{name}`", policy_parameters([name])) for name in names()),
        ("Node `autoware_bridge`", AUTOWARE),
        ("Node `carla_follower`", carla_options.FOLLOWER),
        ("Node `carla_odometry`", carla_options.ODOMETRY),
    ]
    return "\n".join([HEAD, *(_section(title, parameters) for title, parameters in sections if parameters)])


def _section(title: str, parameters: tuple[Parameter, ...]) -> str:
    rows = "".join(
        f"| `{p.name}` | {_value(p.default)} | {_allowed(p)} | {p.description.replace('|', chr(92) + '|')} |\n"
        for p in parameters
    )
    return f"## {title}\n\n| name | default | allowed | |\n|---|---|---|---|\n{rows}"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if value != "" else "(empty)"


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice}`" for choice in parameter.choices)
    return "{} to {}".format(*parameter.range) if parameter.range else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
