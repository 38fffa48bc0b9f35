"""The bill of materials holds every locked package with its hashes; an audit says what it found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import util

import pytest


def load(repository, name):
    """A script of the folder, as a module."""
    path = repository / "supply_chain" / f"{name}.py"
    spec = util.spec_from_file_location(name, path)
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


@pytest.fixture(scope="module")
def lock(repository) -> str:
    return (repository / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bom(repository, tmp_path_factory):
    out = tmp_path_factory.mktemp("bom") / "dist" / "sbom.cdx.json"
    script, locked = repository / "supply_chain" / "sbom.py", repository / "requirements.lock"
    subprocess.run([sys.executable, script, locked, out], check=True, capture_output=True)
    return out.read_text(encoding="utf-8")


def test_every_package_of_the_lock_with_all_hashes(bom, lock):
    parts = {c["name"]: c for c in json.loads(bom)["components"]}
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, flags=re.M))
    assert len(pinned) > 50
    assert {n: c["version"] for n, c in parts.items()} == pinned
    for block in re.split(r"\n(?=\S)", lock.strip()):
        name = block.split("==")[0]
        assert [h["content"] for h in parts[name]["hashes"]] == re.findall(
            r"sha256:([0-9a-f]{64})", block
        )
    optional = {n for n, c in parts.items() if c["scope"] == "optional"}
    assert optional == set(re.findall(r"^([\w.-]+)==\S+ ;", lock, flags=re.M))
    licensed = sum("licenses" in c for c in parts.values())
    assert licensed > 0.8 * len(parts)


def test_it_is_cyclonedx_without_addresses_and_times(bom, repository, lock):
    content = json.loads(bom)
    assert (content["bomFormat"], content["specVersion"], content["version"]) == (
        *("CycloneDX", "1.6"),
        1,
    )
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        content["serialNumber"],
    )
    assert set(content) == {
        *("bomFormat", "specVersion", "serialNumber", "version", "metadata", "components"),
        "dependencies",
    }
    assert "://" not in bom and "timestamp" not in bom
    refs = [c["bom-ref"] for c in content["components"]]
    assert len(refs) == len(set(refs))
    root = content["metadata"]["component"]["bom-ref"]
    known = {root, *refs}
    assert {d["ref"] for d in content["dependencies"]} == known
    assert all(set(d["dependsOn"]) <= known for d in content["dependencies"])
    of = {d["ref"]: d["dependsOn"] for d in content["dependencies"]}
    assert any(r.startswith("pkg:pypi/numpy@") for r in of[root])
    for part in content["components"]:
        assert part["type"] == "library"
        assert re.fullmatch(r"pkg:pypi/[a-z0-9-]+@[\w.!+-]+", part["purl"])
        for entry in part.get("licenses", []):
            assert set(entry) == {"expression"} or set(entry["license"]) == {"name"}
    again = load(repository, "sbom").make_bom(lock)
    assert json.dumps(again, indent=1) + "\n" == bom


def test_a_changed_lock_changes_the_serial_number_and_a_bad_one_is_refused(repository, lock):
    sbom = load(repository, "sbom")
    block = "numpy==2.0.0 ; python_version > '3' \\\n    --hash=sha256:" + "ab" * 32
    made = sbom.make_bom(f"{block}\n    # via\n    #   -c x.lock\n    #   bayes-mdd (pyproject)\n")
    assert made["serialNumber"] != sbom.make_bom(lock)["serialNumber"]
    (part,) = made["components"]
    assert part["properties"] == [{"name": "bayes-mdd:marker", "value": "python_version > '3'"}]
    assert "licenses" not in part  # another version is installed
    assert made["dependencies"][0]["dependsOn"] == ["pkg:pypi/numpy@2.0.0"]
    with pytest.raises(SystemExit, match="not an entry of a lock file"):
        sbom.make_bom("numpy>=2\n")


@pytest.mark.parametrize(
    ("status", "output", "code", "said"),
    [
        (0, "No known vulnerabilities found\n", 0, "No known vulnerability"),
        (1, "Found 2 known vulnerabilities in 1 package\n", 1, "2 known vulnerabilities"),
        (1, "Found 1 known vulnerability in 1 package\n", 1, "After a finding"),
        (1, "ConnectionError: Name or service not known\n", 2, "could not be had"),
        (0, "", 2, "Nothing is known"),
    ],
)
def test_an_audit_tells_none_found_from_not_asked(repository, status, output, code, said):
    found, sentence = load(repository, "audit").judge(status, output)
    assert found == code and said in sentence


def test_an_audit_without_its_program(repository):
    script = repository / "supply_chain" / "audit.py"
    done = subprocess.run(
        [sys.executable, script, "no-such-program-at-all"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "make sbom" in done.stdout


def test_make_has_both_and_the_page_describes_them(repository):
    rules = (repository / "Makefile").read_text(encoding="utf-8")
    assert "supply_chain/sbom.py requirements.lock dist/sbom.cdx.json" in rules
    assert "supply_chain/audit.py" in rules and "--require-hashes" in rules
    page = (repository / "docs" / "supply_chain.md").read_text(encoding="utf-8")
    for word in ("make sbom", "make audit", "make lock", "After a finding", "osv-scanner"):
        assert word in page
