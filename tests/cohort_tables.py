"""Writing of tables and declarations into a cohort folder."""

import json


def put(folder, name, rows):
    """Write a table of cells."""
    (folder / name).write_text("".join("\t".join(row) + "\n" for row in rows))


def declare(folder, **design):
    """Add keys to the arm of participants.json."""
    path = folder / "participants.json"
    content = json.loads(path.read_text())
    content.setdefault("arm", {}).update(design)
    path.write_text(json.dumps(content))
