"""The place of an image in space: what its header states, before anything is averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Voxel sizes (mm) outside of which an affine is not in millimetres.
_SMALLEST, _LARGEST = 0.05, 50.0


def place_problems(image: Any) -> list[str]:
    """Check that the header of an image states its place in space, in millimetres.

    Parameters
    ----------
    image : nibabel image
        Any format; the codes and units of NIfTI headers are checked where they exist.

    Returns
    -------
    list of str
        What is wrong and what to do, without the name of the image; empty if left and right,
        position and voxel size are known.

    Examples
    --------
    >>> from nibabel import Nifti1Image
    >>> place_problems(Nifti1Image(np.zeros((2, 2, 2)), np.diag([2.0, 2, 2, 1])))
    []
    >>> len(place_problems(Nifti1Image(np.zeros((2, 2, 2)), None)))
    1
    """
    header = image.header
    codes = [
        int(header[key]) for key in ("sform_code", "qform_code") if _has(header, key)
    ]  # other formats have none
    if codes and not any(codes):
        return [
            "the header states no place in space (sform_code and qform_code are 0), so that left "
            "and right are not known: copy the header of the image it was made from, or write the "
            "image again with its affine."
        ]
    affine = None if image.affine is None else np.asarray(image.affine, dtype=np.float64)
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
        return ["the affine is missing, not finite or singular: write the image again."]
    unit = stated_units(header)[0]
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if unit not in ("mm", "unknown") or size.min() < _SMALLEST or size.max() > _LARGEST:
        stated = f"{unit} as unit of length" if unit != "unknown" else "no unit of length"
        voxel = " x ".join(f"{s:.3g}" for s in size)
        return [
            f"the header states {stated} and voxels of {voxel}: expected mm. Convert the affine "
            "to mm and correct the unit."
        ]
    if len(codes) == 2 and all(codes) and _mirrored_forms(image):
        return [
            "sform and qform of the header contradict each other: one is the mirror image of the "
            "other, so that left and right are not known. Correct the wrong one."
        ]
    return []


def stated_units(header: Any) -> tuple[str, str]:
    """Read the units of length and time from the header of an image.

    Parameters
    ----------
    header : nibabel header
        Of a NIfTI image, or of another format.

    Returns
    -------
    length, time : str
        Names such as "mm" and "sec"; "unknown" where none is stated, and "code 7" for a code that
        NIfTI does not define.

    Examples
    --------
    >>> from nibabel import Nifti1Header
    >>> stated_units(Nifti1Header())
    ('unknown', 'unknown')
    """
    if not hasattr(header, "get_xyzt_units"):
        return "unknown", "unknown"
    code = int(header["xyzt_units"])
    return _unit(code % 8), _unit(code - code % 8)


def _unit(code: int) -> str:
    from nibabel.nifti1 import unit_codes

    try:
        return str(unit_codes.label[code])
    except KeyError:
        return f"code {code}"


def _has(header: Any, key: str) -> bool:
    try:
        return header[key] is not None
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def _mirrored_forms(image: Any) -> bool:
    sform, qform = image.header.get_sform(), image.header.get_qform()
    return bool(np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0)
