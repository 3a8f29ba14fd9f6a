"""The TypeScript client's tour against a real server. Closes with `N passed, N failed`."""

import os
import subprocess
import sys
from pathlib import Path

from schema_judge import person
from server import Server

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"


def main() -> int:
    with Server("sqlite") as server:
        environment = dict(os.environ, PARLANCE_URL=server.url, PARLANCE_KEY=person(server, "owner", "olga"))
        toured = subprocess.run(["node", "dist/example/tour.js"], cwd=CLIENT, env=environment).returncode == 0
    print(f"{int(toured)} passed, {int(not toured)} failed")
    return 0 if toured else 1


if __name__ == "__main__":
    sys.exit(main())
