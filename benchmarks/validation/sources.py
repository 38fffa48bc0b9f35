"""Which JSON file a page rests on, and where the file came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Dates and versions by file, for files that do not hold them.
RECORD = "provenance.json"
#: Keys of a result that describe how it was obtained.
SETTINGS = ("settings", "setting", "sampler")


@dataclass(frozen=True)
class Source:
    """A file of results and the command that writes it; an optional one may not be there."""

    file: str
    command: str
    optional: bool = False

    def exists(self, results: Path) -> bool:
        """Tell whether the file is there; one that is not optional is always expected."""
        return not self.optional or (results / self.file).exists()


def load(results: Path, source: Source) -> Any:
    """Read the results of a study."""
    return json.loads((results / source.file).read_text(encoding="utf-8"))


def provenance(results: Path, sources: Mapping[str, Source]) -> str:
    """Write the last section of a page: files, commands, versions, dates.

    Files that agree in settings, versions and date are listed together.
    """
    known = json.loads((results / RECORD).read_text(encoding="utf-8"))
    groups: dict[tuple[str, ...], list[str]] = {}
    for source in (s for s in sources.values() if s.exists(results)):
        stored, record = load(results, source), known.get(source.file, {})
        about = (
            f"Settings: {_settings(stored)}",
            f"Versions: {_versions(stored, record)}",
            f"Date: {_date(record)}",
        )
        link = f"- [`{source.file}`](../../benchmarks/results/{source.file}): `{source.command}`"
        groups.setdefault(about, []).append(link)
    return "\n\n".join(
        "\n".join([*links, "", ". ".join(about) + "."]) for about, links in groups.items()
    )


def _settings(stored: Any) -> str:
    if not isinstance(stored, dict):
        return "the defaults of the command"
    found = {k: v for name in SETTINGS for k, v in stored.get(name, {}).items()}
    return _pairs(found) if found else "the defaults of the command"


def _versions(stored: Any, record: Mapping[str, Any]) -> str:
    own = dict(stored.get("versions", {})) if isinstance(stored, dict) else {}
    if own and "python" in stored:
        own["python"] = stored["python"]
    versions = own or record.get("versions", {})
    return _pairs(versions) if versions else "not recorded"


def _date(record: Mapping[str, Any]) -> str:
    if "date" in record:
        return str(record["date"])
    if "committed" in record:
        return f"not recorded; file added to the repository on {record['committed']}"
    return "not recorded"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
