"""What simulated cohorts are made of: networks, patterns, links, HAMD-17 items, regions."""

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
#: Network pairs of the factors that have a name; all other factors get six pairs at random.
DEMO_PATTERNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "shared1": ("SM-SM", "VIS-VIS", "SM-VIS", "ATT-SM", "ATT-VIS", "DMN-VIS"),
        "shared2": ("THR-THR", "DMN-THR", "THR-SM", "THR-VIS", "CCN-THR", "ATT-THR"),
        "shared3": ("REW-REW", "DMN-REW", "CCN-REW", "REW-VIS", "DMN-ATT", "CCN-SM"),
        "SSRI1": ("CCN-CCN", "ATT-ATT", "CCN-ATT", "THR-REW", "REW-SM"),
        "SNRI1": ("DMN-CCN", "DMN-DMN", "DMN-SM", "ATT-REW", "CCN-VIS"),
    }
)
#: Symptom dimension -> the factor it leans on, where the cohort has that factor.
DEMO_LINKS: Final[Mapping[str, str]] = MappingProxyType(
    {"retardation": "SNRI1", "cognitive": "SSRI1", "anxiety_somatization_6": "shared2"}
)
#: Made-up anchor points of each network (right hemisphere, mm): plausible, from no atlas.
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
#: HAMD-17: item -> (a few words, highest score, how much rarer than usual a high score is).
HAMD17: Final[Mapping[str, tuple[str, int, float]]] = MappingProxyType(
    {
        "1": ("low mood", 4, -0.4),
        "2": ("guilt", 4, 0.3),
        "3": ("suicidality", 4, 0.7),
        "4": ("trouble falling asleep", 2, 0.0),
        "5": ("waking in the night", 2, 0.0),
        "6": ("waking too early", 2, 0.2),
        "7": ("work and interests", 4, -0.3),
        "8": ("slowing", 4, 0.3),
        "9": ("agitation", 4, 0.5),
        "10": ("anxiety in mind", 4, 0.0),
        "11": ("anxiety in body", 4, 0.2),
        "12": ("stomach and appetite", 2, 0.2),
        "13": ("energy and aches", 2, -0.2),
        "14": ("sexual interest", 2, 0.2),
        "15": ("worry about health", 4, 0.6),
        "16": ("weight loss", 2, 0.6),
        "17": ("insight", 2, 1.6),
    }
)
#: Dimension -> (items, how many of them may be missing).
#: Written here a second time on purpose: the tests hold it against `bayes_mdd.cohort`.
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
#: The dimensions that share out all items.
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
        # Later regions of an anchor lie on a spiral round it; odd and even ones mirror each other.
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
            # Networks stand in blocks in the table, so the earlier one comes first by itself.
            "network_a": network[a],
            "network_b": network[b],
        }
    )
    edges["block"] = edges["network_a"] + BLOCK_SEPARATOR + edges["network_b"]
    return edges.set_index(edges["region_a"] + EDGE_SEPARATOR + edges["region_b"])
