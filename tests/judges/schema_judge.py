"""Schemathesis: random requests that fit the OpenAPI document, and others that do not. No 5xx, no undocumented status, header or body."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from server import Server

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "ignored_auth"]
# A request that is wrong in two ways may be refused for either: methods are judged where nothing else is wrong.
CHECKS_OF_MODE = {"positive": [*CHECKS, "unsupported_method"], "negative": CHECKS}

# What is promised of each database.
FITTING = 10_000


def something_to_find(server: Server):
    """Things with small ids, which are the ones that random requests name."""
    for number in range(5):
        server.api("POST", "/api/v1/conversations/send", json={"phone": f"+1415555{number:04}", "message": "Hi"}).raise_for_status()
        person(server, "agent", f"colleague{number}")


def person(server: Server, role: str, name: str) -> str:
    """Somebody new, and their key."""
    email = f"{name}@example.com"
    server.run("user", "create", "--org", "acme", "--email", email, "--name", name, "--role", role)
    return server.run("key", "create", "--org", "acme", "--user", email, "--name", name, "--assistant")


class Run:
    """A run of schemathesis beside others, as the owner of a key."""

    def __init__(self, server: Server, key: str, mode: str, examples: int):
        schemathesis = Path(sys.executable).parent / "schemathesis"
        self.folder = tempfile.TemporaryDirectory(prefix="parlance-judge-")
        self.report, self.output = Path(self.folder.name) / "report.json", Path(self.folder.name) / "output.txt"
        bearer = f"Bearer {key}"
        org = server.api("GET", "/api/v1/me", headers={"Authorization": bearer}).json()["data"]["org"]["id"]
        # Another org than the key's is refused before anything else is looked at: that is left to the other tests.
        headers = ["--header", f"Authorization: {bearer}", "--header", f"X-Org-Id: {org}"]
        command = [schemathesis, "run", f"{server.url}/openapi.json", *headers, "--checks", ",".join(CHECKS_OF_MODE[mode]), "--mode", mode,
                   "--max-examples", str(examples), "--seed", "1", "--phases", "examples,coverage,fuzzing", "--continue-on-failure",
                   "--warnings", "off", "--generation-database", "none", "--report", "json", "--report-json-path", self.report]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, cwd=self.folder.name, stdout=output, stderr=subprocess.STDOUT)

    def sent(self) -> int:
        """Waits for its end, and answers how many requests it sent."""
        assert self.process.wait() == 0, self.output.read_text()
        said = json.loads(self.report.read_text())
        assert said["complete"] and said["operations"]["tested"] == said["operations"]["total"], said["operations"]
        self.folder.cleanup()
        print(said["test_cases"], said["running_time"], flush=True)
        return said["test_cases"]["generated"]


def random_requests_get_documented_answers(server: Server):
    something_to_find(server)
    # Made last: requests that take away the first people and keys do not lock the callers out.
    agent, owner = person(server, "agent", "agatha"), person(server, "owner", "olga")
    runs = [Run(server, agent, "positive", 90), Run(server, owner, "positive", 90)]
    fitting = sum(run.sent() for run in runs)
    others = Run(server, owner, "negative", 20).sent()
    print(f"{server.database}: {fitting} random requests that fit the document, {others} that do not", flush=True)
    assert fitting >= FITTING, fitting


CASES = [random_requests_get_documented_answers]
