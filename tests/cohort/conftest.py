"""A small valid cohort folder, and a helper that introduces one error."""

import json

import pytest

PARTICIPANTS = """participant_id\tdiagnosis\tarm\tsite\tage
sub-001\tMDD\tSSRI\tA\t31
sub-002\tMDD\tSSRI\tB\t42
sub-003\tMDD\tSSRI\tA\tn/a
sub-004\tMDD\tSNRI\tB\t27
sub-005\tMDD\tSNRI\tA\t55
sub-006\tMDD\tSNRI\tB\t61
sub-007\tHC\tn/a\tA\t33
"""


@pytest.fixture
def cohort_folder(tmp_path):
    folder = tmp_path / "cohort"
    (folder / "phenotype").mkdir(parents=True)
    (folder / "participants.tsv").write_text(PARTICIPANTS)
    arms = {"arm": {"Levels": {"SSRI": "", "SNRI": ""}}, "age": {"Units": "year"}}
    (folder / "participants.json").write_text(json.dumps(arms))
    header = ["participant_id", "session_id", *(f"hamd17_{i}" for i in range(1, 18))]
    rows = [header]
    for k in range(1, 7):
        rows.append([f"sub-00{k}", "ses-week8", *["0"] * 17])
        rows.append([f"sub-00{k}", "ses-baseline", *[str(min(k, 2))] * 17])
    write_tsv(folder / "phenotype" / "hamd17.tsv", rows)
    sidecar = {"session_id": {"Levels": {"ses-baseline": "", "ses-week8": ""}}}
    (folder / "phenotype" / "hamd17.json").write_text(json.dumps(sidecar))
    return folder


def write_tsv(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows))


@pytest.fixture
def edit():
    """Replace the first occurrence of a text in a file; fail if there is none."""

    def replace(path, old, new):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace
