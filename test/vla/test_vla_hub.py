"""Where checkpoints come from: folders, the hub's cache, and a hub that refuses (a server on this machine)."""

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from alpamayo_ros.vla import hub
from alpamayo_ros.vla.errors import CheckpointError

CODE = "from alpamayo_ros.vla import hub; hub.checkpoint_folder('nvidia/Some-Model', download={})"


def refused(tmp_path, download=True, **variables):
    """What a fresh process, whose hub settings are given, says when it wants a model from the hub."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    command = [sys.executable, "-c", CODE.format(download)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def hub_that_answers():
    """A hub that answers every request with the given status and error code."""
    servers = []

    def start(status, code):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_gated_model_asks_for_consent_with_the_licence(tmp_path, hub_that_answers):
    message = refused(tmp_path, HF_ENDPOINT=hub_that_answers(403, "GatedRepo"))
    assert "refuses 'nvidia/Some-Model' without consent" in message
    assert "non-commercial licence" in message and "hf auth login" in message


def test_an_unknown_model_is_told_so(tmp_path, hub_that_answers):
    message = refused(tmp_path, HF_ENDPOINT=hub_that_answers(404, "RepoNotFound"))
    assert "knows no model 'nvidia/Some-Model'" in message


def test_offline_without_the_files_says_what_to_run(tmp_path):
    message = refused(tmp_path, HF_HUB_OFFLINE="1")
    assert "not in the local hub cache" in message and "hf download nvidia/Some-Model" in message


def test_nothing_is_fetched_unasked(tmp_path, hub_that_answers):
    """The hub would answer; it is not asked, and what to do is said."""
    message = refused(tmp_path, download=False, HF_ENDPOINT=hub_that_answers(403, "GatedRepo"))
    assert "neither a folder nor in the local hub cache, and nothing is fetched unasked" in message
    assert "hf download nvidia/Some-Model" in message and "`download`" in message


def test_a_model_in_the_cache_needs_no_network(tmp_path, folders):
    snapshot = tmp_path / "hub" / "models--nvidia--Some-Model" / "snapshots" / "0123456789"
    shutil.copytree(folders["r1"] / "checkpoint", snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0123456789")
    environment = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    code = CODE.replace("hub.checkpoint_folder(", "print(hub.checkpoint_folder(").format(False) + ")"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(snapshot), done.stderr


def test_a_path_that_is_not_there_is_no_hub_id():
    for name in ("./nowhere", "/no/such/folder", "a/b/c", ""):
        with pytest.raises(CheckpointError, match="there is no folder"):
            hub.checkpoint_folder(name)


def test_a_folder_without_config_names_what_is_missing_and_the_licence(tmp_path):
    with pytest.raises(CheckpointError, match="holds no config.json.*non-commercial"):
        hub.checkpoint_folder(str(tmp_path))


def test_a_base_is_looked_for_beside_the_checkpoint_first(folders):
    checkpoint = folders["r1"] / "checkpoint"
    assert hub.base_folder("../vlm_base", checkpoint).resolve() == (folders["r1"] / "vlm_base").resolve()
    assert hub.base_folder(str(folders["r1"] / "vlm_base"), checkpoint) == folders["r1"] / "vlm_base"
