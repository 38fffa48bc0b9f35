"""How strongly a signal fluctuates: ALFF and fALFF, as XCP-D and AFNI define them."""

from __future__ import annotations

import numpy as np
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


def band_bins(n_volumes: int, tr: float, band: tuple[float, float]) -> slice:
    """Choose the frequencies of a band as XCP-D does: nearest bins, the upper one excluded.

    Parameters
    ----------
    n_volumes : int
        Length of the series.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    slice
        Positions in ``numpy.fft.rfftfreq(n_volumes, tr)``.

    Raises
    ------
    SpecError
        If the series is too short to resolve the band.

    Examples
    --------
    >>> band_bins(200, 2.0, (0.01, 0.08))
    slice(4, 32, None)
    """
    frequencies = np.fft.rfftfreq(n_volumes, tr)
    low, high = (int(np.argmin(np.abs(frequencies - edge))) for edge in band)
    if low == 0 or high <= low:
        raise SpecError(
            f"{n_volumes} volumes of {tr:g} s resolve steps of {1 / (n_volumes * tr):.3g} Hz: too "
            f"coarse for the band {band[0]:g}-{band[1]:g} Hz. Take longer series or a wider band."
        )
    return slice(low, high)


def amplitude(values: Floats, tr: float, band: tuple[float, float]) -> tuple[Floats, Floats]:
    r"""Compute the amplitude of low-frequency fluctuations and its fraction.

    With :math:`P_f` the periodogram (SciPy's ``scaling="spectrum"``) of the series without its
    mean, ALFF is twice the mean of :math:`\sqrt{P_f}` over the band, in the units of the series;
    this is what XCP-D writes for uncensored data. fALFF is the sum of :math:`\sqrt{P_f}` over the
    band divided by the sum over all frequencies above 0, as in AFNI's 3dRSFC.

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
    bins = band_bins(len(values), tr, band)
    _, power = periodogram(values, 1 / tr, scaling="spectrum", axis=0)
    root = np.sqrt(power)
    total = root[1:].sum(axis=0)
    fraction = np.full(total.shape, np.nan)
    np.divide(root[bins].sum(axis=0), total, out=fraction, where=total > 0)
    return 2 * root[bins].mean(axis=0), fraction


def looks_filtered(values: Floats, tr: float, band: tuple[float, float]) -> bool:
    """Judge whether series were low-pass filtered at the band, which makes fALFF meaningless.

    Parameters
    ----------
    values : numpy.ndarray, shape (time, region)
        Series.
    tr : float
        Repetition time in seconds.
    band : tuple of float
        Lower and upper edge in Hz.

    Returns
    -------
    bool
        True where the mean amplitude above the band is below 5 % of that within it.
    """
    bins = band_bins(len(values), tr, band)
    _, power = periodogram(values, 1 / tr, scaling="spectrum", axis=0)
    root = np.sqrt(power).sum(axis=1)
    # A filter has a slope: the first bins above the band say little.
    above = root[bins.stop + (bins.stop - bins.start) // 4 :]
    return bool(above.size) and float(above.mean()) < FILTERED * float(root[bins].mean())
