"""The lock covers what the package requires, and the audit says what it knows and what it does not."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from alpamayo_ros.paths import share

LOCK = share() / "requirements" / "lock-3.11.txt"
LINE = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>\S+) --hash=sha256:[0-9a-f]{64}")
ENVIRONMENT = {"python_version": "3.11", "python_full_version": "3.11.9", "platform_machine": "x86_64"}
UNLOCKED = {"torch"}  # its index, CPU or CUDA, is the user's choice


def locked():
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    matches = [LINE.fullmatch(line) for line in lines]
    assert lines and all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    names = [canonicalize_name(match["name"]) for match in matches]
    assert len(names) == len(set(names))
    return dict(zip(names, (match["version"] for match in matches), strict=True))


def test_every_requirement_is_locked_to_a_version_that_satisfies_it():
    versions, missing = locked(), []
    files = [path for path in (share() / "requirements").glob("*.txt") if path != LOCK]
    assert len(files) >= 8
    for path in files:
        for line in path.read_text().splitlines():
            if not line or line.startswith(("#", "-r")):
                continue
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate(ENVIRONMENT):
                continue
            name = canonicalize_name(wanted.name)
            if name not in UNLOCKED and not wanted.specifier.contains(versions.get(name, "0"), prereleases=True):
                missing.append(f"{path.name}: {line} (locked: {versions.get(name)}): run scripts/lock")
    assert missing == [] and not UNLOCKED & set(versions)


@pytest.fixture
def index():
    """An index of packages that answers as it is told: path -> (status, record)."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, record = answers.get(self.path, (404, None))
            self.send_response(status)
            self.end_headers()
            if record is not None:
                self.wfile.write(json.dumps(record).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield answers, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def audit(tmp_path, index):
    def run(url=None):
        lock = tmp_path / "lock.txt"
        lock.write_text("# made by hand\nleft==1.0 --hash=sha256:0\nright==2.0 --hash=sha256:0\n")
        command = [sys.executable, str(share() / "scripts" / "audit"), str(lock), "--index", url or index[1]]
        environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    return run


def record(version, *vulnerabilities):
    return 200, {"info": {"version": version}, "vulnerabilities": list(vulnerabilities)}


BAD = {"id": "PYSEC-1", "aliases": ["CVE-2026-1"], "fixed_in": ["1.1"], "summary": "reads too far", "withdrawn": None}


def test_all_known_and_none_bad(audit, index):
    index[0].update({"/left/1.0/json": record("1.0"), "/right/2.0/json": record("2.0", BAD | {"withdrawn": "2026"})})
    done = audit()
    assert done.returncode == 0 and "2 of 2 locked packages could be asked about, 0 of them" in done.stdout


def test_a_vulnerability_fails_the_audit_with_its_cure(audit, index):
    index[0].update({"/left/1.0/json": record("1.0", BAD)})
    done = audit()
    assert done.returncode == 1
    assert "left 1.0: PYSEC-1/CVE-2026-1, fixed in 1.1: reads too far" in done.stdout


def test_a_mirror_of_newest_versions_answers_for_those_alone(audit, index):
    index[0].update({"/left/json": record("1.0"), "/right/json": record("2.1")})
    done = audit()
    assert done.returncode == 2 and "1 of 2 locked packages could be asked about" in done.stdout
    assert "right 2.0: not audited: only 2.1 is known there" in done.stderr


def test_without_a_network_nothing_is_pretended(audit):
    done = audit("http://127.0.0.1:9")
    assert done.returncode == 2 and "0 of 2 locked packages could be asked about" in done.stdout
    assert "left 1.0: not audited: URLError" in done.stderr
