"""The node uses no network but DDS's own: no socket of Python's, no TCP at all, no name looked up."""

import json
import subprocess
import sys

CODE = """
import json, os, sys
events = []
sys.addaudithook(lambda event, _: events.append(event) if event.startswith(("socket.", "urllib.", "http.")) else None)
import rclpy
from rclpy.parameter import Parameter
from alpamayo_ros.contract import make_example
from alpamayo_ros.node import AlpamayoDriver

rclpy.init()
node = AlpamayoDriver(parameter_overrides=[Parameter("autostart", value=False)])
assert node.trigger_configure().name == "SUCCESS" and node.trigger_activate().name == "SUCCESS"
node._policy(make_example(height=96, width=192))
mine = set()
for number in os.listdir("/proc/self/fd"):
    try:
        mine.add(os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass
sockets = {}
for kind in ("tcp", "tcp6", "raw", "raw6", "udp", "udp6"):
    rows = [line.split() for line in open(f"/proc/net/{kind}").read().splitlines()[1:]]
    sockets[kind] = [row[1] for row in rows if f"socket:[{row[9]}]" in mine]
node.close()
node.destroy_node()
rclpy.shutdown()
print(json.dumps({"events": events, "sockets": sockets}))
"""


def test_a_configured_and_active_node_opens_nothing_but_dds():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["events"] == []
    assert seen["sockets"].pop("udp"), "DDS itself is not seen: the search is wrong"
    assert seen["sockets"] == {"tcp": [], "tcp6": [], "raw": [], "raw6": [], "udp6": []}
