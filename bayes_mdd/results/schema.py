"""Schema of a result: the name, dimensions, units and meaning of every variable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import xarray as xr


@dataclass(frozen=True)
class Variable:
    """One variable of a result.

    Parameters
    ----------
    group : str
        Group that holds it, e.g. ``"posterior"``.
    name : str
        Its name. A pattern such as ``"symptom_*"`` stands for all names that it matches and that
        the schema does not list.
    dims : tuple of str or None
        Its dimensions in order; None where they are not promised.
    units : str
        In words; empty where there are none.
    meaning : str
        What it is, in a few words.
    other_dims : tuple of str, optional
        Dimensions that it has instead under some specs.
    """

    group: str
    name: str
    dims: tuple[str, ...] | None
    units: str
    meaning: str
    other_dims: tuple[str, ...] | None = None

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes ``long_name`` and, where it has units, ``units``."""
        return {"long_name": self.meaning} | ({"units": self.units} if self.units else {})


Schema = Sequence[Variable]


def find_variable(schema: Schema, group: str, name: str) -> Variable | None:
    """Look a variable up in a schema.

    Parameters
    ----------
    schema : sequence of Variable
        The schema.
    group, name : str
        Group and name of the variable.

    Returns
    -------
    Variable or None
        The entry with this name; else the first entry whose pattern matches it; else None.

    Examples
    --------
    >>> schema = [Variable("posterior", "x_*", ("draw",), "SD", "any x")]
    >>> find_variable(schema, "posterior", "x_1").meaning
    'any x'
    """
    of_group = [v for v in schema if v.group == group]
    exact = [v for v in of_group if v.name == name]
    matching = exact or [v for v in of_group if fnmatchcase(name, v.name)]
    return matching[0] if matching else None


def check_schema(tree: xr.DataTree, schema: Schema) -> list[str]:
    """Compare the variables of a result with a schema.

    Parameters
    ----------
    tree : DataTree
        A result.
    schema : sequence of Variable
        Its schema.

    Returns
    -------
    list of str
        One sentence for each variable that the schema does not list or that has other
        dimensions. Variables of the schema that the result does not hold are not reported, for
        most of them depend on the spec.
    """
    problems = []
    for group, name, variable in _variables(tree):
        found = find_variable(schema, group, name)
        if found is None:
            problems.append(f"'{group}' holds '{name}', which is not in the schema.")
        elif found.dims is not None and variable.dims not in (found.dims, found.other_dims):
            problems.append(
                f"'{name}' in '{group}' has the dimensions {variable.dims}, "
                f"the schema says {found.dims}."
            )
    return problems


def describe_variables(tree: xr.DataTree, schema: Schema) -> xr.DataTree:
    """Attach units and meaning to the variables of a result.

    Parameters
    ----------
    tree : DataTree
        A result; it is not changed.
    schema : sequence of Variable
        Its schema.

    Returns
    -------
    DataTree
        The same values. Variables of the schema carry ``long_name`` and ``units``, where they do
        not have these attributes already.
    """
    described = tree.copy()
    for group, name, variable in _variables(described):
        found = find_variable(schema, group, name)
        if found is not None:
            variable.attrs = found.attrs | variable.attrs
    return described


def _variables(tree: xr.DataTree) -> Iterator[tuple[str, str, xr.DataArray]]:
    """Group, name and value of every data variable."""
    for group, node in tree.children.items():
        for name, variable in node.data_vars.items():
            yield str(group), str(name), variable
