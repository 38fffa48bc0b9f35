"""Templates, scripts and styles of the viewers."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

_ENVIRONMENT: Final = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def read_part(name: str) -> str:
    """Read a file of this package.

    Parameters
    ----------
    name : str
        File name.

    Returns
    -------
    str
        Its text.
    """
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def render(template: str, **content: Any) -> str:
    """Fill a template of this package; every text is escaped.

    Parameters
    ----------
    template : str
        File name.
    **content
        Values by name.

    Returns
    -------
    str
        HTML.
    """
    return _ENVIRONMENT.from_string(read_part(template)).render(content)


def to_json(content: Any) -> str:
    r"""Write JSON that cannot end the script in which it stands.

    Parameters
    ----------
    content : object
        Values that JSON can represent.

    Returns
    -------
    str
        JSON without ``<``, ``>`` and ``&``.

    Examples
    --------
    >>> to_json({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
