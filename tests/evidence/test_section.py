"""The section of a report about the literature."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr
from made_evidence import NAMES, STRUCTURES, make_fit, make_response

from bayes_mdd.evidence.section import literature_section


def _words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_section_says_on_how_many_findings_it_rests():
    signs = np.where(np.arange(len(STRUCTURES)) < 5, 1.0, -1.0).repeat(2)
    page = literature_section(make_fit(signs[None]), make_response([-1.0]))
    said = _words(page)
    assert "10 findings of 6 studies on prognosis" in said
    assert "11 on SNRI (4 references)" in said
    assert "which is no reason to choose between drugs" in said
    assert "(moderation): 2, of 1 reference (reference 45 (Gyurak et al.)" in said
    assert "amygdala and raphe nuclei" in said
    assert "not of a systematic search" in said
    assert "all factors 10 6" in said
    assert page.count("<section") == page.count("</section>") == 1


def test_without_maps_or_with_too_few_findings_it_says_so():
    response = make_response([-1.0], arms=("A", "B"))
    assert "The scores come from no fit with maps" in _words(literature_section(None, response))
    few = _words(literature_section(make_fit(np.ones((1, len(NAMES)))), response))
    assert "At least 5 studies are needed" in few
    assert "Agreement of the fit" not in few
    maps = make_fit(np.ones((1, len(NAMES))))["loadings"].to_dataset().drop_vars("region_name")
    tree = xr.DataTree.from_dict({"loadings": maps})
    assert "name no regions" in _words(literature_section(tree, response))


def test_without_a_factor_in_use_nothing_is_compared():
    response = make_response([-1.0])
    none = xr.DataTree.from_dict(
        {
            name: group.isel(factor=slice(0))
            for name, group in response.to_dict().items()
            if name != "/"
        }
    )
    none.attrs = response.attrs
    page = literature_section(make_fit(np.ones((1, len(NAMES)))), none)
    assert "no factor is in use" in _words(page)
