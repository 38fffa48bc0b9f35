"""Unusual input that is right, and must not be refused."""

from __future__ import annotations

from badinput import valid
from badinput.case import Case
from badinput.changes import (
    cells,
    column,
    encoded,
    keys,
    nothing,
    replaced,
    several,
    table,
    text,
    without_column,
)

LOOK = "validate cohort --spec spec.yaml"
TABLE, SIDECAR = "cohort/participants.tsv", "cohort/participants.json"
FEATURES, FACTS = "cohort/features/features.tsv", "cohort/features/features.json"
REGIONS = "cohort/features/regions.tsv"

GOOD = (
    Case(
        "byte order mark and CRLF",
        several(encoded(TABLE, "utf-8-sig"), replaced(TABLE, "\n", "\r\n", -1)),
        LOOK,
    ),
    Case(
        "a column of free text with semicolons",
        column(TABLE, "note", lambda r: "late; see file, page 2" if r[0] == "sub-09" else "n/a"),
        LOOK,
    ),
    Case(
        "a description in place of an object in the sidecar",
        keys(SIDECAR, mean_fd="mm, over the scan"),
        LOOK,
    ),
    Case("Levels as a list", keys(SIDECAR, sex={"Levels": ["F", "M"]}), LOOK),
    Case("a subset of the edges", without_column(FEATURES, valid.EDGES[2]), LOOK),
    Case(
        "edges named from the other region",
        table(
            FEATURES, lambda c: [[h.replace("DMN_L--DMN_R", "DMN_R--DMN_L") for h in c[0]], *c[1:]]
        ),
        LOOK,
    ),
    Case("rows in another order", table(FEATURES, lambda c: [c[0], *c[:0:-1]]), LOOK),
    Case("no kind stated", keys(FACTS, kind=None), LOOK),
    Case("a kind of its own", keys(FACTS, kind="coupling", units="a.u.", measure="coupling"), LOOK),
    Case(
        "regions without labels and hemispheres",
        several(without_column(REGIONS, "label"), without_column(REGIONS, "hemisphere")),
        LOOK,
    ),
    Case("patients without an arm", cells(TABLE, {"sub-08": "n/a", "sub-16": "n/a"}, "arm"), LOOK),
    Case(
        "totals without Items in the sidecar",
        keys("trial/phenotype/hamd17.json", MeasurementToolMetadata={"Scale": "hamd17"}),
        "validate trial --spec spec.yaml",
    ),
    Case(
        "an empty spec means the defaults",
        text("spec.yaml", "model: {n_factors: 2, feature_dependence: independent}\nreference:\n"),
        LOOK,
    ),
    Case("one matrix for each participant", nothing, "validate matrices --spec spec.yaml"),
    Case("one time series for each participant", nothing, "validate series --spec spec.yaml"),
    Case(
        "a measure of its own, from maps",
        nothing,
        "features maps --kind myelin --atlas atlas.nii.gz --labels atlas.tsv "
        "--participants people.tsv -o out",
    ),
)
