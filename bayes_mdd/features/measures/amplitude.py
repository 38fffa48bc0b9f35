"""Amplitude of low-frequency fluctuations (ALFF and fALFF), as in XCP-D and AFNI."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import periodogram

from bayes_mdd.errors import SpecError
from bayes_mdd.features.loading import Floats

#: Ratio of the mean amplitude above the band to that within the band, below which series are
#: considered low-pass filtered.
FILTERED = 0.05


def check_band(tr: float | None, band: tuple[float, float]) -> None:
    """Check repetition time and frequency band.

    Parameters
    ----------
    tr : float or None
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Raises
    ------
    SpecError
        If `tr` is missing or not positive, or the band is empty or exceeds the Nyquist frequency.
    """
    if tr is None or isinstance(tr, bool) or not 0 < float(tr) < float("inf"):
        raise SpecError(f"tr must be the time between volumes in seconds, above 0; got {tr!r}.")
    if tr > 60:
        raise SpecError(
            f"tr must be in seconds; {tr} appears to be in milliseconds: pass {tr / 1000:g}."
        )
    low, high = band
    nyquist = 0.5 / tr
    if not 0 < low < high <= nyquist:
        raise SpecError(
            f"band must be (low, high) in Hz with 0 < low < high <= {nyquist:g} (Nyquist frequency "
            f"at tr {tr:g} s); got {band}."
        )


def band_bins(frequencies: Floats, band: tuple[float, float]) -> slice:
    """Select the frequencies of a band as in XCP-D: nearest bins, upper bin excluded.

    Parameters
    ----------
    frequencies : numpy.ndarray
        In Hz, ascending, without 0.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    slice
        Positions in `frequencies`.

    Raises
    ------
    SpecError
        If the series is too short to resolve the band.

    Examples
    --------
    >>> band_bins(np.fft.rfftfreq(200, 2.0)[1:], (0.01, 0.08))
    slice(3, 31, None)
    """
    low, high = (int(np.argmin(np.abs(frequencies - edge))) for edge in band)
    step = float(frequencies[0])
    if high <= low or step > 2 * band[0]:
        raise SpecError(
            f"the frequency resolution of the series is {step:.3g} Hz, too coarse for the band "
            f"{band[0]:g}-{band[1]:g} Hz. Use longer series or a wider band."
        )
    return slice(low, high)


def root_spectrum(
    values: Floats, tr: float, kept: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    r"""Compute the square root of the power at all frequencies above 0.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series; with `kept`, of the retained volumes only.
    tr : float
        Repetition time in seconds.
    kept : numpy.ndarray of bool, optional
        Mask of all volumes, True for retained ones. If volumes were censored, the Lomb-Scargle
        periodogram is used: the variance that the best-fitting sine wave of each frequency explains
        in the retained volumes.

    Returns
    -------
    frequencies : numpy.ndarray
        In Hz.
    root : numpy.ndarray, shape (frequency, region)
        In the units of the series. A sine wave of amplitude a has a / sqrt(2) at its frequency.

    References
    ----------
    .. [1] Scargle, J. D. (1982). Studies in astronomical time series analysis. II. Astrophysical
       Journal, 263, 835-853.
    """
    if kept is None or kept.all():
        frequencies, power = periodogram(values, 1 / tr, scaling="spectrum", axis=0)
        return frequencies[1:], np.sqrt(power[1:])
    frequencies = np.linspace(0, 0.5 / tr, len(kept) // 2 + 1)[1:]  # as in XCP-D
    time = tr * np.flatnonzero(kept)
    centred = values - values.mean(axis=0)
    power = np.empty((len(frequencies), values.shape[1]))
    for i, frequency in enumerate(frequencies):
        angle = 2 * np.pi * frequency * time
        wave, size, _ = np.linalg.svd(np.column_stack([np.cos(angle), np.sin(angle)]), False)
        wave = wave[:, size > 1e-8 * size[0]]  # at the Nyquist frequency the sine is 0
        power[i] = ((wave.T @ centred) ** 2).sum(axis=0) / len(centred)
    return frequencies, np.sqrt(power)


def amplitude(
    values: Floats, tr: float, band: tuple[float, float], kept: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    r"""Compute ALFF and fALFF.

    ALFF is twice the mean of :math:`\sqrt{P_f}` over the band, in the units of the series.
    :math:`P_f` is the periodogram (SciPy's ``scaling="spectrum"``) of the series after subtraction
    of the mean or, if volumes were censored, the Lomb-Scargle periodogram. In both cases the values
    equal those of XCP-D; censored series are scaled by the standard deviation of the retained
    volumes. fALFF is the sum of :math:`\sqrt{P_f}` over the band divided by the sum over all
    frequencies above 0, as in AFNI's 3dRSFC.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series; with `kept`, of the retained volumes only.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.
    kept : numpy.ndarray of bool, optional
        Mask of all volumes, True for retained ones.

    Returns
    -------
    alff, falff : numpy.ndarray, shape (region,)
        Values of the regions. fALFF is between 0 and 1; NaN where a series does not vary.

    References
    ----------
    .. [1] Zang, Y.-F. et al. (2007). Altered baseline brain activity in children with ADHD
       revealed by resting-state functional MRI. Brain and Development, 29, 83-91.
    .. [2] Zou, Q.-H. et al. (2008). An improved approach to detection of amplitude of
       low-frequency fluctuation (ALFF) for resting-state fMRI: fractional ALFF. Journal of
       Neuroscience Methods, 172, 137-141.

    Examples
    --------
    >>> time = 2.0 * np.arange(200)
    >>> wave = 3 * np.sin(2 * np.pi * 0.05 * time)
    >>> alff, falff = amplitude(wave[:, None], 2.0, (0.01, 0.08))
    >>> float(falff[0].round(6))
    1.0
    """
    frequencies, root = root_spectrum(values, tr, kept)
    bins = band_bins(frequencies, band)
    total = root.sum(axis=0)
    fraction = np.full(total.shape, np.nan)
    np.divide(root[bins].sum(axis=0), total, out=fraction, where=total > 0)
    return 2 * root[bins].mean(axis=0), fraction


def looks_filtered(values: Floats, tr: float, band: tuple[float, float]) -> bool:
    """Test whether series were low-pass filtered at the band, which makes fALFF meaningless.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Evenly sampled series.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    bool
        True if the mean amplitude above the band is below 5 % of that within the band.
    """
    frequencies, root = root_spectrum(values, tr)
    bins = band_bins(frequencies, band)
    mean = root.sum(axis=1)
    # The first bins above the band are skipped, because filters have a finite slope.
    above = mean[bins.stop + (bins.stop - bins.start) // 4 :]
    return bool(above.size) and float(above.mean()) < FILTERED * float(mean[bins].mean())
