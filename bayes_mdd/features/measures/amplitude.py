"""How strongly a signal fluctuates: ALFF and fALFF, as XCP-D and AFNI define them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import periodogram

from bayes_mdd.errors import SpecError
from bayes_mdd.features.loading import Floats

#: Mean amplitude above the band, relative to that within, below which a signal was low-passed.
FILTERED = 0.05


def check_band(tr: float | None, band: tuple[float, float]) -> None:
    """Refuse a repetition time or a frequency band that cannot be.

    Parameters
    ----------
    tr : float or None
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Raises
    ------
    SpecError
        If `tr` is missing or not above 0, or the band is empty or beyond the Nyquist frequency.
    """
    if tr is None or isinstance(tr, bool) or not 0 < float(tr) < float("inf"):
        raise SpecError(f"tr is the time between volumes in seconds, above 0; got {tr!r}.")
    if tr > 60:
        raise SpecError(f"tr is in seconds; {tr} looks like milliseconds: give {tr / 1000:g}.")
    low, high = band
    nyquist = 0.5 / tr
    if not 0 < low < high <= nyquist:
        raise SpecError(
            f"band must be (low, high) in Hz with 0 < low < high <= {nyquist:g} (half the sampling "
            f"rate at tr {tr:g} s); got {band}."
        )


def band_bins(frequencies: Floats, band: tuple[float, float]) -> slice:
    """Choose the frequencies of a band as XCP-D does: nearest bins, the upper one excluded.

    Parameters
    ----------
    frequencies : numpy.ndarray
        In Hz, rising, without 0.
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
            f"the series resolves steps of {step:.3g} Hz: too coarse for the band "
            f"{band[0]:g}-{band[1]:g} Hz. Take longer series or a wider band."
        )
    return slice(low, high)


def root_spectrum(
    values: Floats, tr: float, kept: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    r"""Compute the square root of the power at every frequency above 0.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series; with `kept`, of the volumes that were kept.
    tr : float
        Repetition time in seconds.
    kept : numpy.ndarray of bool, optional
        Which of all volumes were kept. Then the power is Lomb and Scargle's: at each frequency the
        variance that the best sine wave through the volumes at hand explains.

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
    frequencies = np.linspace(0, 0.5 / tr, len(kept) // 2 + 1)[1:]  # as XCP-D lays them
    time = tr * np.flatnonzero(kept)
    centred = values - values.mean(axis=0)
    power = np.empty((len(frequencies), values.shape[1]))
    for i, frequency in enumerate(frequencies):
        angle = 2 * np.pi * frequency * time
        wave, size, _ = np.linalg.svd(np.column_stack([np.cos(angle), np.sin(angle)]), False)
        wave = wave[:, size > 1e-8 * size[0]]  # at Nyquist's frequency the sine is 0
        power[i] = ((wave.T @ centred) ** 2).sum(axis=0) / len(centred)
    return frequencies, np.sqrt(power)


def amplitude(
    values: Floats, tr: float, band: tuple[float, float], kept: npt.NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    r"""Compute the amplitude of low-frequency fluctuations and its fraction.

    With :math:`P_f` the periodogram (SciPy's ``scaling="spectrum"``) of the series without its
    mean, ALFF is twice the mean of :math:`\sqrt{P_f}` over the band, in the units of the series.
    Where volumes were censored, :math:`P_f` is Lomb and Scargle's. Both are what XCP-D writes,
    the scale of censored series being the standard deviation of the volumes that were kept.
    fALFF is the sum of :math:`\sqrt{P_f}` over the band divided by the sum over all frequencies
    above 0, as in AFNI's 3dRSFC.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series; with `kept`, of the volumes that were kept.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.
    kept : numpy.ndarray of bool, optional
        Which of all volumes were kept.

    Returns
    -------
    alff, falff : numpy.ndarray, shape (region,)
        fALFF lies between 0 and 1; NaN where a series does not vary.

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
    """Judge whether series were low-pass filtered at the band, which makes fALFF meaningless.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series, evenly sampled.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    bool
        True where the mean amplitude above the band is below 5 % of that within it.
    """
    frequencies, root = root_spectrum(values, tr)
    bins = band_bins(frequencies, band)
    mean = root.sum(axis=1)
    # A filter has a slope: the first bins above the band say little.
    above = mean[bins.stop + (bins.stop - bins.start) // 4 :]
    return bool(above.size) and float(above.mean()) < FILTERED * float(mean[bins].mean())
