"""A server on a fresh database, with the simulated Twilio behind its account. Started and ended by each judge's run."""

import os
import re
import secrets
import subprocess
import tempfile
import threading
from pathlib import Path

import psycopg
import requests

SID = "AC00000000000000000000000000000001"
TOKEN = "not-a-real-auth-token-0000000001"
NUMBER = "+15551234567"
SERVICE = "MG00000000000000000000000000000001"
PUBLIC_URL = "https://chat.example.com"


class Server:
    """`parlance serve` on SQLite or PostgreSQL, and `parlance simulate twilio`."""

    def __init__(self, database: str):
        self.database = database
        self.folder = tempfile.TemporaryDirectory(prefix="parlance-judge-")
        self.environment = dict(os.environ, PARLANCE_SECRET_KEY="0" * 63 + "1", PARLANCE_DATA=str(Path(self.folder.name) / "data"),
                                # Judges ask faster than anybody may.
                                PARLANCE_RATE_LIMIT="0")
        if database == "postgres":
            self.environment["PARLANCE_DATABASE_URL"] = fresh_postgres()
        self.processes = []

    def __enter__(self):
        self.sim = self.start(["simulate", "twilio", "--account-sid", SID, "--auth-token", TOKEN, "--phone-number", NUMBER,
                               "--messaging-service-sid", SERVICE, "--callback-step-ms", "1"], r"(http://127\.0\.0\.1:\d+)", "stdout")
        self.run("org", "create", "Acme", "--slug", "acme")
        self.run("account", "create", "--org", "acme", "twilio", "--account-sid", SID, "--auth-token", TOKEN,
                 "--phone-number", NUMBER, "--base-url", self.sim, "--messages-per-second", "0")
        self.run("user", "create", "--org", "acme", "--email", "ann@example.com", "--name", "Ann", "--role", "agent")
        self.key = self.run("key", "create", "--org", "acme", "--user", "ann@example.com", "--name", "judge", "--assistant")
        self.url = self.start(["serve", "--listen", "127.0.0.1:0", "--public-url", PUBLIC_URL, "--rate-limit", "0"],
                              r"listening on (http://127\.0\.0\.1:\d+)", "stderr")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        self.folder.cleanup()

    def run(self, *args: str) -> str:
        command = [os.environ["PARLANCE_BIN"], *args]
        return subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def start(self, args: list[str], pattern: str, stream: str) -> str:
        """Starts a process that runs on, and answers what it says about its address."""
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: subprocess.PIPE}
        process = subprocess.Popen([os.environ["PARLANCE_BIN"], *args], env=self.environment, text=True, **pipes)
        self.processes.append(process)
        output = getattr(process, stream)
        for line in output:
            if found := re.search(pattern, line):
                # A full pipe would stop the process.
                threading.Thread(target=lambda: [None for _ in output], daemon=True).start()
                return found.group(1)
        raise RuntimeError(f"{args} did not start")

    def api(self, method: str, path: str, **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)


def fresh_postgres() -> str:
    admin = os.environ["PARLANCE_TEST_POSTGRES"]
    name = f"judge_{secrets.token_hex(6)}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return admin.rsplit("/", 1)[0] + "/" + name
