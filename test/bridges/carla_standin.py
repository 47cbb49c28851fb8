"""A stand-in for the part of CARLA's PythonAPI that carla_odometry calls; the package itself cannot be installed here.

Names, units and axes are those of CARLA's Python API reference (0.9.16): left-handed world, metres, degrees; wheels in
the world's centimetres.
"""

from __future__ import annotations

from types import SimpleNamespace

ADDRESSES = []


def vector(x, y, z):
    return SimpleNamespace(x=x, y=y, z=z)


def transform(location, roll, pitch, yaw):
    return SimpleNamespace(location=vector(*location), rotation=SimpleNamespace(roll=roll, pitch=pitch, yaw=yaw))


class Actor:
    """A vehicle, and its snapshot."""

    def __init__(self, number, role_name, placed, velocity=(0, 0, 0), angular=(0, 0, 0), wheels=()):
        self.id, self.type_id, self.attributes = number, "vehicle.tesla.model3", {"role_name": role_name}
        self._placed, self._velocity, self._angular, self._wheels = placed, velocity, angular, wheels

    def get_transform(self):
        return self._placed

    def get_velocity(self):
        return vector(*self._velocity)

    def get_angular_velocity(self):
        return vector(*self._angular)

    def get_physics_control(self):
        return SimpleNamespace(
            wheels=[SimpleNamespace(position=vector(*p), max_steer_angle=a, radius=35.0) for p, a in self._wheels]
        )


class World:
    def __init__(self, actors):
        self._actors, self._callbacks = {actor.id: actor for actor in actors}, {}

    def get_actors(self):
        return SimpleNamespace(filter=lambda pattern: [a for a in self._actors.values() if pattern == "vehicle.*"])

    def on_tick(self, callback):
        self._callbacks[len(self._callbacks)] = callback
        return len(self._callbacks) - 1

    def remove_on_tick(self, number):
        del self._callbacks[number]

    def tick(self, elapsed_seconds):
        snapshot = SimpleNamespace(timestamp=SimpleNamespace(elapsed_seconds=elapsed_seconds), find=self._actors.get)
        for callback in list(self._callbacks.values()):
            callback(snapshot)

    @property
    def listeners(self):
        return len(self._callbacks)


def module(world):
    """What `import carla` gives, of a simulator with this world."""

    class Client:
        def __init__(self, host, port):
            ADDRESSES.append((host, port))

        def set_timeout(self, seconds):
            assert seconds > 0

        def get_world(self):
            return world

    return SimpleNamespace(Client=Client)
