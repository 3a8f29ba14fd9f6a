"""Schemathesis: random requests that fit (and do not fit) the OpenAPI document. No 5xx, no undocumented status or body."""

import subprocess
import sys
from pathlib import Path

from server import Server

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "missing_required_header", "unsupported_method", "ignored_auth"]


def random_requests_get_documented_answers(server: Server):
    # Something to find, so that requests reach more than 404.
    for number in range(5):
        server.api("POST", "/api/v1/conversations/send", json={"phone": f"+1415555{number:04}", "message": "Hi"}).raise_for_status()
    schemathesis = Path(sys.executable).parent / "schemathesis"
    command = [schemathesis, "run", f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {server.key}", "--checks", ",".join(CHECKS),
               "--max-examples", "40", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--warnings", "off"]
    # It keeps a database of examples in its working folder.
    ran = subprocess.run(command, cwd=server.folder.name, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ran.returncode == 0, ran.stdout
    print(ran.stdout[-1500:], flush=True)


CASES = [random_requests_get_documented_answers]
