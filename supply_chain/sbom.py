"""Write the software bill of materials of the locked packages (CycloneDX 1.6, JSON).

    python supply_chain/sbom.py requirements.lock dist/sbom.cdx.json

The same lock gives the same file: there is no time, no address and no name of a machine in it.
Licences are those that the installed packages state, in the version of the lock; others have none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
#: First line of an entry: name, version and condition.
ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)\s*(?:;\s*(.+?))?\s*\\?$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
#: Longest statement of a licence that is a name and not its text.
LONGEST = 60


@dataclass(frozen=True)
class Locked:
    """One entry of a lock file: hashes of its files, and the packages that need it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Package URL, without the address of an index."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> list[Locked]:
    """Read a lock file as ``uv pip compile --generate-hashes`` writes it."""
    found = []
    for block in re.split(r"\n(?=\S)", text.strip()):
        lines = block.splitlines()
        match = ENTRY.match(lines[0])
        if match is None:
            raise SystemExit(f"not an entry of a lock file: {lines[0]!r}")
        said = [
            line.split("#", 1)[1].removeprefix("   via").strip() for line in lines if "#" in line
        ]
        needed = tuple(s.removeprefix("via").strip() for s in said if s and not s.startswith("-"))
        name = re.sub(r"[-_.]+", "-", match[1]).lower()
        found.append(
            Locked(
                name,
                match[2],
                match[3] or "",
                tuple(HASH.findall(block)),
                tuple(filter(None, needed)),
            )
        )
    return sorted(found, key=lambda entry: entry.name)


def find_licence(entry: Locked) -> list[dict[str, Any]]:
    """State the licence of an installed package of this version; empty where it is not known."""
    try:
        stated = distribution(entry.name)
    except PackageNotFoundError:
        return []
    if stated.version != entry.version:
        return []
    if expression := stated.metadata.get("License-Expression"):
        return [{"expression": expression}]
    name = (stated.metadata.get("License") or "").strip()
    if 0 < len(name) <= LONGEST and "\n" not in name:
        return [{"license": {"name": name}}]
    classes = stated.metadata.get_all("Classifier") or []
    names = [c.rpartition(" :: ")[2] for c in classes if c.startswith("License :: ")]
    return [{"license": {"name": n}} for n in sorted(set(names))]


def describe(entry: Locked) -> dict[str, Any]:
    """Write one package as a component."""
    licences = find_licence(entry)
    return {
        "type": "library",
        "bom-ref": entry.purl,
        "name": entry.name,
        "version": entry.version,
        "scope": "optional" if entry.marker else "required",
        # One per file of the package; an installer accepts any of them and nothing else.
        "hashes": [{"alg": "SHA-256", "content": h} for h in entry.hashes],
        **({"licenses": licences} if licences else {}),
        "purl": entry.purl,
        **(
            {"properties": [{"name": "bayes-mdd:marker", "value": entry.marker}]}
            if entry.marker
            else {}
        ),
    }


def list_dependencies(entries: list[Locked], root: str, name: str) -> Iterator[dict[str, Any]]:
    """State which package needs which."""
    purls = {e.name: e.purl for e in entries}
    needs: dict[str, list[str]] = {purl: [] for purl in (root, *purls.values())}
    for entry in entries:
        for parent in entry.needed_by:
            of = root if parent.startswith(name) else purls.get(parent)
            if of is not None:
                needs[of].append(entry.purl)
    for ref, found in needs.items():
        yield {"ref": ref, "dependsOn": sorted(set(found))}


def make_bom(lock: str) -> dict[str, Any]:
    """Write the bill of materials of a lock file."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    entries = read_lock(lock)
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    digest = hashlib.sha256(f"{root}\n{lock}".encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "purl": root,
            },
            "properties": [{"name": "bayes-mdd:lock-sha256", "value": sha256(lock)}],
        },
        "components": [describe(e) for e in entries],
        "dependencies": list(list_dependencies(entries, root, project["name"])),
    }


def sha256(text: str) -> str:
    """Checksum of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Read the lock file and write the bill of materials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    bom = make_bom(given.lock.read_text(encoding="utf-8"))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    known = sum("licenses" in c for c in bom["components"])
    sys.stdout.write(
        f"{given.output}: {len(bom['components'])} packages, licence of {known} known\n"
    )


if __name__ == "__main__":
    main()
