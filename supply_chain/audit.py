"""Ask for known vulnerabilities of the locked packages, and say what the answer means.

    python supply_chain/audit.py uv tool run pip-audit --requirement requirements.lock ...

Exit status: 0 none known, 1 some found, 2 the advisories could not be had.
"""

from __future__ import annotations

import re
import subprocess
import sys

FOUND = re.compile(r"Found (\d+) known vuln\w+")
CLEAN = "No known vulnerabilities found"


def judge(status: int, output: str) -> tuple[int, str]:
    """Turn the end of pip-audit into a status and a sentence."""
    if match := FOUND.search(output):
        return 1, (
            f"{match[1]} known vulnerabilities in the locked packages: see 'After a finding' in "
            "docs/supply_chain.md."
        )
    if status == 0 and CLEAN in output:
        return 0, "No known vulnerability in the locked packages."
    return 2, (
        "Nothing is known: the advisories could not be had (no network, no pip-audit, or an error "
        "above). Run `make sbom` and check dist/sbom.cdx.json on a machine with a network, as "
        "docs/supply_chain.md describes."
    )


def main() -> None:
    """Run the command and leave with the status."""
    try:
        done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=False)
        status, output = done.returncode, f"{done.stdout}{done.stderr}"
    except OSError as error:
        status, output = 127, f"{error}\n"
    sys.stdout.write(output)
    code, said = judge(status, output)
    sys.stdout.write(f"{said}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
