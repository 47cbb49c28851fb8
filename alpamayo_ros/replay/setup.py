"""What a replay is asked to do, as plain values; and the parameters, rig and policy that follow from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from alpamayo_ros import params, policies
from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE, Policy
from alpamayo_ros.params import Value
from alpamayo_ros.projection import CameraModel
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.recorded import cameras, image_topics
from alpamayo_ros.rig import Rig, load_rig, propose_rig
from alpamayo_ros.rig_check import view, warnings


class SetupError(ValueError):
    """A replay that cannot be done as it is asked for."""


@dataclass(frozen=True)
class Setup:
    """One bag's replay.

    Attributes:
        bag: its path; out: the directory of its results.
        rig: a rig file; None proposes one.
        policy: its name; parameters: of the driver and the policy, over the rig's and the defaults.
        command: what to tell the policy instead of the bag's own commands; None for those.
        drop: camera roles that the policy is not to see.
        threads: that decode; report, video: what to make of it besides numbers.
    """

    bag: Path
    out: Path
    rig: Path | None = None
    policy: str = "baseline"
    parameters: Mapping[str, Value] = field(default_factory=dict)
    command: str | None = None
    drop: tuple[str, ...] = ()
    threads: int = 2
    report: bool = True
    video: bool = False

    def asked(self) -> dict[str, Any]:
        """What the results follow from: a replay is resumed only where it is the same."""
        said = {key: value for key, value in asdict(self).items() if key not in ("out", "threads", "report", "video")}
        said["bag"] = [self.bag.name, *_sizes(self.bag)]
        said["rig"] = self.rig.read_text() if self.rig else None
        said["parameters"] = dict(sorted(self.parameters.items()))
        return said


def fingerprint(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def check(setup: Setup) -> None:
    """Refuses what no bag can help.

    Raises:
        SetupError: with what to do instead.
    """
    unknown = [role for role in setup.drop if role not in CAMERA_ROLES]
    if unknown:
        raise SetupError(f"--drop {unknown[0]}: the cameras are {', '.join(CAMERA_ROLES)}")
    if REFERENCE_ROLE in setup.drop:
        raise SetupError(f"--drop {REFERENCE_ROLE}: its frames' stamps are the ticks; drop another one")
    needed = {"pyarrow": True, "av": setup.video}
    missing = [name for name, used in needed.items() if used and find_spec(name) is None]
    if missing:
        raise SetupError(f"needs {' and '.join(missing)}: pip install -r requirements/replay.txt")
    parameters(setup, Rig({}))


def parameters(setup: Setup, rig: Rig) -> dict[str, Value]:
    """Every parameter's value: defaults, then the rig's, then the setup's.

    Raises:
        SetupError: a name that no parameter has, or a value that it cannot have.
    """
    table = {parameter.name: parameter for parameter in params.table()}
    values = params.defaults() | {"policy": setup.policy}
    for source, given in (("the rig file", rig.parameters), ("-p", setup.parameters)):
        for name, value in given.items():
            if name not in table:
                raise SetupError(f"{source}: no parameter is called {name!r}; docs/parameters.md has them all")
            kind = type(table[name].default)
            value = float(value) if kind is float and isinstance(value, int) else value
            if not isinstance(value, kind):
                raise SetupError(f"{source}: {name} is {value!r}, it has to be a {kind.__name__}")
            broken = params.check(table[name], value)
            if broken:
                raise SetupError(f"{source}: {broken}")
            values[name] = value
    if setup.policy not in policies.names():
        raise SetupError(f"no policy is called {setup.policy!r}; there are {', '.join(policies.names())}")
    return values


def parse_parameter(text: str) -> tuple[str, Value]:
    """NAME:=VALUE, the value as YAML says.

    Raises:
        SetupError: it is none.
    """
    name, sign, value = text.partition(":=")
    if not sign:
        raise SetupError(f"-p {text}: say NAME:=VALUE")
    return name, yaml.safe_load(value)


def load_policy(setup: Setup) -> Policy:
    """The policy with its options.

    Raises:
        SetupError: it cannot be loaded; whatever the policy itself says of it.
    """
    values = parameters(setup, Rig({}))
    try:
        return policies.load(setup.policy, **params.policy_options(values))
    except Exception as error:  # whatever a model's own loading raises
        raise SetupError(f"policy {setup.policy} cannot be loaded: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, eq=False)
class Matched:
    """A bag's rig, the models of its cameras as far as known, and what is odd about them."""

    rig: Rig
    cameras: Mapping[str, CameraModel]
    remarks: tuple[str, ...]


def match(bag: Bag, setup: Setup, ego_frame: str) -> Matched:
    """Which topic plays which role.

    Raises:
        RigError: no rig can be made for this bag.
    """
    if setup.rig is not None:
        rig = load_rig(setup.rig, setup.drop).check(bag.types, str(bag.path))
    else:
        seen = cameras(bag, {topic: topic for topic in image_topics(bag)}, ego_frame)
        rig = propose_rig(bag.types, {topic: view(camera) for topic, camera in seen.items()}, setup.drop)
    roles = {role: rig.topics[role] for role in CAMERA_ROLES if role in rig.topics}
    models = cameras(bag, roles, ego_frame)
    remarks = warnings({role: view(camera) for role, camera in models.items()})
    unknown = [role for role in roles if role not in models]
    if unknown:
        remarks.append(f"no CameraInfo or place in {ego_frame} for {', '.join(unknown)}: plans are not drawn there")
    if bag.damage:
        remarks.append(bag.damage)
    return Matched(rig, models, tuple(remarks))


def _sizes(bag: Path) -> list[tuple[str, int]]:
    files = [bag] if bag.is_file() else sorted(bag.iterdir()) if bag.is_dir() else []
    return [(file.name, file.stat().st_size) for file in files if file.is_file()]
