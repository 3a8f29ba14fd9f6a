"""Runs every judge against a server on each database. Closes with `N passed, N failed`."""

import sys
import traceback

import document_judge
import schema_judge
import twilio_judge
from server import Server


def main() -> int:
    passed = failed = 0
    for database in ["sqlite", "postgres"]:
        for judge in [twilio_judge, document_judge, schema_judge]:
            with Server(database) as server:
                for case in judge.CASES:
                    try:
                        case(server)
                    except Exception:
                        failed += 1
                        print(f"FAILED {database} {judge.__name__} {case.__name__}\n{traceback.format_exc()}", flush=True)
                    else:
                        passed += 1
                        print(f"ok {database} {judge.__name__} {case.__name__}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
