"""Design of simulated cohorts: arms, patterns, symptom links, HAMD-17 items and regions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import BLOCK_SEPARATOR, EDGE_SEPARATOR

Rng = np.random.Generator

#: ``data/demo`` is `simulate_cohort` with this seed and no other argument.
DEMO_SEED: Final = 1
DEMO_ARMS: Final[Mapping[str, int]] = MappingProxyType({"SSRI": 31, "SNRI": 31})
#: Network pairs of named factors; all other factors get six random pairs.
DEMO_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "shared1": ("SM-SM", "VIS-VIS", "SM-VIS", "ATT-SM", "ATT-VIS", "DMN-VIS"),
        "shared2": ("THR-THR", "DMN-THR", "THR-SM", "THR-VIS", "CCN-THR", "ATT-THR"),
        "shared3": ("REW-REW", "DMN-REW", "CCN-REW", "REW-VIS", "DMN-ATT", "CCN-SM"),
        "SSRI1": ("CCN-CCN", "ATT-ATT", "CCN-ATT", "THR-REW", "REW-SM"),
        "SNRI1": ("DMN-CCN", "DMN-DMN", "DMN-SM", "ATT-REW", "CCN-VIS"),
    }
)
#: Symptom dimension -> factor it is linked to, if the cohort has this factor.
DEMO_LINKS: Final[Mapping[str, str]] = MappingProxyType(
    {"retardation": "SNRI1", "cognitive": "SSRI1", "anxiety_somatization_6": "shared2"}
)
#: Factors by which one drug helps some patients and the other drug others, and that goes with a
#: worse outcome on either drug, if the cohort has them.
MODERATOR: Final = "shared1"
PROGNOSTIC: Final = "shared2"
#: Invented anchor points of each network (right hemisphere, mm), not taken from an atlas.
NETWORKS: Final[Mapping[str, tuple[tuple[int, int, int], ...]]] = MappingProxyType(
    {
        "DMN": ((8, 52, 10), (8, -54, 28), (46, -62, 32)),
        "CCN": ((42, 36, 24), (44, -50, 46)),
        "ATT": ((28, -4, 54), (28, -60, 54)),
        "THR": ((24, -4, -18), (38, 18, 0), (8, 24, 30)),
        "REW": ((10, 12, -6), (22, 42, -14)),
        "SM": ((40, -24, 54), (8, -14, 62)),
        "VIS": ((10, -86, 4), (36, -76, -8)),
    }
)
#: HAMD-17: item -> (short description, highest score, shift of the thresholds; high scores are
#: rarer for larger values).
HAMD17: Final[Mapping[str, tuple[str, int, float]]] = MappingProxyType(
    {
        "1": ("depressed mood", 4, -0.4),
        "2": ("guilt", 4, 0.3),
        "3": ("suicidality", 4, 0.7),
        "4": ("early insomnia", 2, 0.0),
        "5": ("middle insomnia", 2, 0.0),
        "6": ("late insomnia", 2, 0.2),
        "7": ("work and interests", 4, -0.3),
        "8": ("retardation", 4, 0.3),
        "9": ("agitation", 4, 0.5),
        "10": ("psychic anxiety", 4, 0.0),
        "11": ("somatic anxiety", 4, 0.2),
        "12": ("gastrointestinal symptoms", 2, 0.2),
        "13": ("general somatic symptoms", 2, -0.2),
        "14": ("sexual interest", 2, 0.2),
        "15": ("hypochondriasis", 4, 0.6),
        "16": ("weight loss", 2, 0.6),
        "17": ("insight", 2, 1.6),
    }
)
#: Dimension -> (items, largest number of missing items). Duplicates `bayes_mdd.cohort` on purpose:
#: the tests compare the two.
DIMENSIONS: Final[Mapping[str, tuple[tuple[int, ...], int]]] = MappingProxyType(
    {
        "retardation": ((1, 7, 8, 14), 1),
        "cognitive": ((2, 3, 9), 0),
        "anxiety_somatization_6": ((10, 11, 12, 13, 15, 17), 1),
        "sleep": ((4, 5, 6), 0),
        "weight": ((16,), 0),
        "anxiety_somatization_5": ((10, 11, 12, 15, 17), 1),
        "core": ((1, 2, 7, 8, 10, 13), 1),
        "hamd17_total": (tuple(range(1, 18)), 2),
    }
)
#: Non-overlapping dimensions that together contain all items.
SECTIONS: Final = tuple(DIMENSIONS)[:5]
SESSIONS: Final = ("ses-baseline", "ses-week8")
BLOCKS_PER_FACTOR: Final = 6


def make_regions(n_regions: int) -> pd.DataFrame:
    names = list(NETWORKS)[: min(len(NETWORKS), n_regions // 2)]
    network = [names[k] for k in sorted(i % len(names) for i in range(n_regions))]
    rows = []
    for label, name in enumerate(network, start=1):
        number = network[: label - 1].count(name)
        anchors = NETWORKS[name]
        x, y, z = anchors[(number // 2) % len(anchors)]
        # Further regions lie on a spiral around the anchor; odd and even ones are mirror images.
        ring = number // (2 * len(anchors))
        turn, reach = 2.4 * ring, 6.0 * np.sqrt(ring)
        x, y, z = x + 4, round(y + reach * np.cos(turn)), round(z + reach * np.sin(turn))
        left = number % 2 == 0
        rows.append(
            (f"{name}_{number + 1:02d}", name, -x if left else x, y, z, "LR"[not left], label)
        )
    columns = ["region", "network", "x", "y", "z", "hemisphere", "label"]
    return pd.DataFrame(rows, columns=columns)


def make_edges(regions: pd.DataFrame) -> pd.DataFrame:
    a, b = np.triu_indices(len(regions), 1)
    name, network = regions["region"].to_numpy(str), regions["network"].to_numpy(str)
    edges = pd.DataFrame(
        {
            "region_a": name[a],
            "region_b": name[b],
            # Regions are sorted by network, so the earlier network always comes first.
            "network_a": network[a],
            "network_b": network[b],
        }
    )
    edges["block"] = edges["network_a"] + BLOCK_SEPARATOR + edges["network_b"]
    return edges.set_index(edges["region_a"] + EDGE_SEPARATOR + edges["region_b"])
