"""ALFF, fALFF and ReHo compared with direct computations from their definitions."""

from __future__ import annotations

import json
from itertools import product

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.signal import lombscargle
from scipy.stats import rankdata, spearmanr

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features import regional_features
from bayes_mdd.features.measures.amplitude import root_spectrum
from bayes_mdd.features.measures.homogeneity import regional_homogeneity

TR, BAND = 2.0, (0.01, 0.08)


@pytest.fixture
def series():
    rng = np.random.default_rng(5)
    return {f"sub-{i}": 100 + (i + 1) * rng.normal(size=(150, 5)) for i in range(4)}


def refused(*args, **options) -> str:
    with pytest.raises(DataContractError) as caught:
        regional_features(*args, **options)
    return str(caught.value)


def amplitudes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and amplitudes of one series, by the sum that defines the Fourier transform."""
    n = len(x)
    f = np.arange(n // 2 + 1) / (n * TR)
    t = np.arange(n) * TR
    a = np.array([abs(sum(x * np.exp(-2j * np.pi * g * t))) / n for g in f])
    twice = np.ones(len(f))
    twice[1 : (n + 1) // 2] = 2  # both signs of a frequency, except 0 and the Nyquist frequency
    return f, a * np.sqrt(twice)


@pytest.mark.parametrize("n", [150, 151])
def test_alff_equals_that_of_xcpd(series, region_table, n):
    x = np.random.default_rng(n).normal(3, 7, size=(n, 5)).cumsum(axis=0)
    got = regional_features({"a": x, "b": x * 2, "c": x}, region_table, tr=TR)
    for i in range(5):
        # XCP-D scales to unit variance before and back after the computation of the spectrum.
        sd = x[:, i].std()
        f, a = amplitudes((x[:, i] - x[:, i].mean()) / sd)
        low, high = (abs(f - edge).argmin() for edge in BAND)
        expected = 2 * a[low:high].mean() * sd
        assert got["y"][0, i] == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(got["y"][1], 2 * got["y"][0])
    assert got["kind"].values.tolist() == ["alff"] * 5
    facts = json.loads(got.attrs["provenance"])
    assert (facts["measure"], facts["tr"], facts["band"]) == ("alff", TR, list(BAND))


def test_falff_is_the_fraction_of_amplitude_in_the_band(series, region_table):
    got = regional_features(series, region_table, "falff", tr=TR)
    for (row, x), i in product(enumerate(series.values()), range(5)):
        f, a = amplitudes(x[:, i] - x[:, i].mean())
        low, high = (abs(f - edge).argmin() for edge in BAND)
        assert got["y"][row, i] == pytest.approx(a[low:high].sum() / a[1:].sum(), rel=1e-10)
    scaled = {k: 10 * v for k, v in series.items()}
    again = regional_features(scaled, region_table, "falff", tr=TR)
    np.testing.assert_allclose(got["y"], again["y"])


def test_scaling_by_the_mean_of_the_subject_removes_units_of_the_scanner(series, region_table):
    plain = regional_features(series, region_table, tr=TR)
    scaled = {k: 10 * v for k, v in series.items()}
    got = regional_features(scaled, region_table, tr=TR, scale="mean")
    np.testing.assert_allclose(got["y"], plain["y"] / plain["y"].mean("feature"))
    assert got.attrs["units"] == "ratio to the person's mean"


def test_falff_of_filtered_series_is_refused(series, region_table):
    spectrum = np.fft.rfft(series["sub-2"], axis=0)
    spectrum[np.fft.rfftfreq(150, TR) > BAND[1]] *= 0.01
    series["sub-2"] = np.fft.irfft(spectrum, 150, axis=0)
    text = refused(series, region_table, "falff", tr=TR)
    assert "1 problem(s)" in text
    assert "sub-2: the series have almost no power above 0.08 Hz" in text
    assert regional_features(series, region_table, tr=TR).sizes["subject"] == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "tr must be the time between volumes in seconds"),
        ({"tr": 2000.0}, "appears to be in milliseconds: pass 2"),
        ({"tr": 2.0, "band": (0.08, 0.01)}, "0 < low < high <= 0.25"),
        ({"tr": 2.0, "band": (0.1, 0.3)}, "0 < low < high <= 0.25"),
        ({"tr": 2.0, "kind": "ALFF"}, "kind must be one of alff, falff, reho"),
        ({"tr": 2.0, "kind": "reho"}, "kind='reho' cannot be computed from regional time series"),
        ({"tr": 2.0, "scale": "z"}, "scale must be one of none, mean"),
        ({"tr": 2.0, "min_coverage": 50}, "min_coverage must be between 0 and 1"),
        ({"tr": 2.0, "missing": "zero"}, "one of refuse, drop-regions, drop-subjects"),
    ],
)
def test_invalid_options_are_refused(series, region_table, options, words):
    with pytest.raises(SpecError, match=words):
        regional_features(series, region_table, **options)


def test_series_too_short_for_the_band_are_refused(series, region_table):
    series["sub-3"] = series["sub-3"][:24]
    text = refused(series, region_table, tr=TR)
    assert "sub-3: 24 volumes: the frequency resolution of the series is 0.0208 Hz" in text


@pytest.fixture
def censored(series):
    """Masks that censor 30 of 150 volumes in runs, as scrubbing does."""
    kept = np.ones(150, dtype=bool)
    kept[[*range(20, 32), *range(70, 80), *range(120, 128)]] = False
    return dict.fromkeys(series, kept)


@pytest.mark.parametrize("n", [150, 149])
def test_censored_series_are_measured_by_the_lomb_scargle_periodogram(
    series, region_table, censored, n
):
    series = {k: v[:n] for k, v in series.items()}
    censored = {k: v[:n] for k, v in censored.items()}
    got = regional_features(series, region_table, tr=TR, kept_volumes=censored)
    kept = censored["sub-2"]
    time = TR * np.flatnonzero(kept)
    f = np.linspace(0, 0.5 / TR, n // 2 + 1)[1:]  # as in XCP-D
    low, high = (abs(f - edge).argmin() for edge in BAND)
    for i in range(5):
        x = series["sub-2"][kept, i]
        z = (x - x.mean()) / x.std()
        # lombscargle fails at the Nyquist frequency.
        power = lombscargle(time, z, 2 * np.pi * f[:-1], normalize=True)
        expected = 2 * np.sqrt(power)[low:high].mean() * x.std()
        assert got["y"][2, i] == pytest.approx(expected, rel=1e-8)
    only = {k: v[kept] for k, v in series.items()}
    again = regional_features(only, region_table, tr=TR, kept_volumes=censored)
    np.testing.assert_array_equal(got["y"], again["y"])
    share = regional_features(only, region_table, "falff", tr=TR, kept_volumes=censored)
    assert ((share["y"] > 0) & (share["y"] < 1)).all()


def test_gaps_do_not_bias_frequency_and_amplitude(censored):
    kept = censored["sub-0"]
    wave = 3 * np.sin(2 * np.pi * 0.05 * TR * np.arange(150) + 1)[kept, None]
    frequencies, root = root_spectrum(wave, TR, kept)
    assert frequencies[root[:, 0].argmax()] == pytest.approx(0.05)
    assert root.max() == pytest.approx(3 / np.sqrt(2), rel=0.02)
    _, concatenated = root_spectrum(wave, TR)  # without the mask
    assert concatenated.max() < 0.95 * root.max()


def test_a_mask_that_keeps_all_volumes_changes_nothing(series, region_table):
    keep_all = dict.fromkeys(series, np.ones(150, dtype=bool))
    got = regional_features(series, region_table, tr=TR, kept_volumes=keep_all)
    np.testing.assert_array_equal(got["y"], regional_features(series, region_table, tr=TR)["y"])


def test_masks_that_do_not_match_the_series_are_refused(series, region_table, censored):
    del censored["sub-3"]
    text = refused(series, region_table, tr=TR, kept_volumes=censored)
    assert "no mask of volumes for sub-3" in text
    index = dict.fromkeys(series, np.arange(100))
    assert "array of bool" in refused(series, region_table, tr=TR, kept_volumes=index)
    few = np.arange(150) < 12
    wrong = {k: np.ones(140, dtype=bool) for k in series} | {"sub-1": few}
    text = refused(series, region_table, tr=TR, kept_volumes=wrong)
    assert "sub-0, sub-2, sub-3: 150 volumes, but the mask keeps 140 of 140" in text
    assert "sub-1: 12 volumes remain" in text


def test_regions_without_variation_are_refused_or_excluded(series, region_table):
    series["sub-1"][:, 3] = 0
    assert "'R4' in 1 (sub-1)" in refused(series, region_table, tr=TR)
    got = regional_features(series, region_table, tr=TR, missing="drop-regions", scale="mean")
    assert got["feature"].values.tolist() == ["R1", "R2", "R3", "R5"]
    assert json.loads(got.attrs["left_out"])["who"] == {"R4": ["sub-1"]}
    np.testing.assert_allclose(got["y"].mean("feature"), 1)


def kendall_w(series: np.ndarray) -> float:
    """W of (voxel, time) by its definition: variance of rank sums divided by its maximum."""
    k, n = series.shape
    ranks = np.stack([rankdata(s) for s in series])
    sums = ranks.sum(axis=0)
    ties = sum(int((c**3 - c).sum()) for c in (np.unique(s, return_counts=True)[1] for s in series))
    largest = (k**2 * (n**3 - n) - k * ties) / 12
    return float(((sums - sums.mean()) ** 2).sum() / largest)


def slow_reho(bold: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = np.full(mask.shape, np.nan)
    for x, y, z in np.argwhere(mask):
        hood = tuple(slice(max(c - 1, 0), c + 2) for c in (x, y, z))
        voxels = bold[hood][mask[hood]]
        if len(voxels) > 1:
            out[x, y, z] = kendall_w(voxels)
    return out


@pytest.mark.parametrize("ties", [False, True])
def test_reho_is_kendalls_w_of_27_neighbours(ties):
    rng = np.random.default_rng(1)
    bold = rng.normal(size=(5, 4, 6, 24)) + rng.normal(size=24)
    if ties:
        bold = np.round(2 * bold)
    mask = rng.random((5, 4, 6)) < 0.8
    mask[0, 0, :2] = [True, False]
    mask[:2, :2, :2] = False
    mask[0, 0, 0] = True  # a voxel alone
    got = regional_homogeneity(bold, mask)
    np.testing.assert_allclose(got, slow_reho(bold, mask), rtol=1e-10)
    assert np.isnan(got[0, 0, 0])
    assert np.isnan(got[~mask]).all()


def test_w_is_the_mean_rank_correlation_of_the_neighbourhood():
    rng = np.random.default_rng(2)
    bold = rng.normal(size=(3, 3, 3, 40)) + rng.normal(size=40)
    r = spearmanr(bold.reshape(27, 40), axis=1).statistic
    mean = r[np.triu_indices(27, 1)].mean()
    got = regional_homogeneity(bold, np.ones((3, 3, 3), dtype=bool))[1, 1, 1]
    assert got == pytest.approx((1 + 26 * mean) / 27)


@pytest.fixture
def images(tmp_path):
    """4-D images of three subjects with five regions of 8 voxels in a row, and the label image."""
    rng = np.random.default_rng(9)
    affine = np.diag([3.0, 3, 3, 1])
    labels = np.zeros((12, 4, 4), dtype=np.int16)
    for i in range(5):
        labels[1 + 2 * i : 3 + 2 * i, 1:3, 1:3] = 11 + i
    bold_images = {}
    for i in range(3):
        bold = (1000 + 20 * rng.normal(size=(12, 4, 4, 60))).astype(np.float32)
        image = nib.Nifti1Image(bold, affine)
        image.header.set_zooms((3, 3, 3, TR))
        image.header.set_xyzt_units("mm", "sec")
        path = tmp_path / f"sub-{i}_bold.nii.gz"
        nib.save(image, path)
        bold_images[f"sub-{i}"] = path
    return bold_images, nib.Nifti1Image(labels, affine)


def test_images_are_measured_per_voxel_and_averaged(images, region_table):
    paths, labels = images
    got = regional_features(paths, region_table, "reho", labels=labels)
    where = np.asarray(labels.dataobj)
    bold = nib.load(paths["sub-1"]).get_fdata()
    slow = slow_reho(bold, np.ones(where.shape, dtype=bool))
    expected = [slow[where == 11 + i].mean() for i in range(5)]
    np.testing.assert_allclose(got["y"][1], expected, rtol=1e-6)
    assert got.attrs["units"] == "Kendall's W"

    alff = regional_features(paths, region_table, labels=labels)
    voxels = {f"v{i}": s for i, s in enumerate(bold[where == 13])}
    table = pd.DataFrame({"region": list(voxels), "network": "N"})
    alone = regional_features(np.stack([bold[where == 13].T] * 3), table, tr=TR)
    assert alff["y"][1, 2] == pytest.approx(float(alone["y"][0].mean()), rel=1e-6)
    arrays = {k: nib.load(v).get_fdata() for k, v in paths.items()}
    again = regional_features(arrays, region_table, labels=where, tr=TR)
    np.testing.assert_allclose(again["y"], alff["y"], rtol=1e-6)


def test_censored_images(images, region_table):
    paths, labels = images
    kept = np.arange(60) % 6 > 0
    masks = dict.fromkeys(paths, kept)
    got = regional_features(paths, region_table, "reho", labels=labels, kept_volumes=masks)
    fewer = {k: nib.load(v).get_fdata()[..., kept] for k, v in paths.items()}
    again = regional_features(fewer, region_table, "reho", labels=labels)
    np.testing.assert_allclose(got["y"], again["y"], rtol=1e-6)
    alff = regional_features(paths, region_table, labels=labels, kept_volumes=masks)
    bold = nib.load(paths["sub-1"]).get_fdata()
    voxels = bold[np.asarray(labels.dataobj) == 13].T
    table = pd.DataFrame({"region": [f"v{i}" for i in range(voxels.shape[1])], "network": "N"})
    alone = regional_features(
        {"a": voxels, "b": voxels}, table, tr=TR, kept_volumes={"a": kept, "b": kept}
    )
    assert alff["y"][1, 2] == pytest.approx(float(alone["y"][0].mean()), rel=1e-6)


def test_voxels_without_signal_count_as_missing(images, region_table):
    paths, labels = images
    bold = nib.load(paths["sub-2"]).get_fdata()
    where = np.asarray(labels.dataobj)
    bold[where == 12] = 0
    few = np.argwhere(where == 14)[:3]
    bold[tuple(few.T)] = np.nan
    paths = {**paths, "sub-2": bold}
    options = {"labels": labels, "tr": TR}
    text = refused(paths, region_table, **options)
    assert "'R2' in 1 (sub-2)" in text
    assert "R4" not in text
    strict = refused(paths, region_table, **options, min_coverage=0.8)
    assert "'R2' in 1 (sub-2), likewise 'R4'" in strict
    got = regional_features(paths, region_table, **options, missing="drop-subjects")
    assert got["subject"].values.tolist() == ["sub-0", "sub-1"]
    with pytest.warns(DeprecationWarning, match="'drop-people' is now called 'drop-subjects'"):
        former = regional_features(paths, region_table, **options, missing="drop-people")
    assert former.identical(got)


def test_all_invalid_images_are_reported_in_one_error(images, region_table, tmp_path):
    paths, labels = images
    bold = nib.load(paths["sub-0"]).get_fdata()
    moved = np.diag([3.0, 3, 3, 1])
    moved[0, 3] = 6
    (tmp_path / "cut.nii.gz").write_bytes(paths["sub-1"].read_bytes()[:5000])
    (tmp_path / "annexed.nii.gz").symlink_to(tmp_path / "elsewhere")
    bad = {
        "moved": nib.Nifti1Image(bold, moved),
        "small": bold[:-1],
        "short": bold[..., :19],
        "flat": bold[..., 0],
        "cut": tmp_path / "cut.nii.gz",
        "annexed": tmp_path / "annexed.nii.gz",
        "untimed": nib.Nifti1Image(bold, labels.affine),
        "empty": np.zeros_like(bold),
    }
    text = refused(bad, region_table, labels=labels)
    assert "8 problem(s)" in text
    assert "moved: the affines of image and label image differ (by up to 6)" in text
    assert "small: the image is 11 x 4 x 4, the label image is 12 x 4 x 4" in text
    assert "short: 19 volumes" in text
    assert "flat: the image has 3 dimensions" in text
    assert "cut: cut.nii.gz is truncated or not a gzip file" in text and "copy it again" in text
    assert "datalad get" in text
    assert "untimed: the header states no repetition time" in text
    assert "empty: no voxel of the regions has a signal" in text


def test_tables_that_do_not_match_the_label_image_are_refused(images, region_table):
    paths, labels = images
    region_table["label"] = [11, 12, 13, 14, 99]
    assert "R5 (99)" in refused(paths, region_table, labels=labels)
    without = region_table.drop(columns="label")
    assert "missing column label" in refused(paths, without, labels=labels)
    soft = nib.Nifti1Image(np.asarray(labels.dataobj) * 0.5, labels.affine)
    assert "whole numbers" in refused(paths, region_table, labels=soft)


def test_labels_are_matched_by_value_not_by_position(images, region_table):
    paths, labels = images
    plain = regional_features(paths, region_table, labels=labels)
    reversed_table = region_table.iloc[::-1]
    got = regional_features(paths, reversed_table, labels=labels)
    assert got["feature"].values.tolist() == ["R5", "R4", "R3", "R2", "R1"]
    np.testing.assert_array_equal(got["y"].values[:, ::-1], plain["y"])
