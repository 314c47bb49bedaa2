"""Compare a run with the exact mean field, or with the brain in one piece.   python checks.py RUN

A pair of regions: both come to rest where the mean field of infinitely many neurons does, and after the pulse the
spiking one swings with the frequency of its focus. N neurons that are cut off at v_peak are slower where few of them
fire, by about 4 % at rest (N = 10^4, v_peak = 100): the tolerances of 5 % there and 1.5 % elsewhere allow for that.

A brain: the same brain without a spiking column, all of it neural masses, solved here in one piece. How much earlier or
later a region is recruited for a column whose rate is 1.5 % off is found by solving it twice more.
"""

import sys
from pathlib import Path

import numpy as np
from exact import fixed_points
from results import Results, onset
from scipy.optimize import curve_fit

from scalebridge import checks

SOURCE = "fixed point of the mean field, Montbrio, Pazo & Roxin, Phys. Rev. X 5, 021028 (2015)"
LOW, HIGH = 0.05, 0.015
ACTIVE = 60.0  # [Hz]: between the stable states of a mass, at 8 and 103 Hz


def main(run):
    results = Results(Path(run))
    found = pair(results) if results.brain.connectome == "pair" else brain(results)
    checks.save(results.run / "checks" / "brain.json", found)


def pair(results):
    """Return the checks on two regions that are alike, each by itself or each half of a population."""
    s, rate = results.brain, 1e3 / results.brain.tau
    J = s.J + s.coupling * s.pair_weight
    rest, _, focus = fixed_points(J, s.eta, s.delta)
    (driven,) = fixed_points(J, s.eta, s.delta, s.stimulus)
    begin, stop, end = s.stimulus_start, s.stimulus_stop, results.time[-1]
    spans = {
        "at rest": (0.3 * begin, begin, rest.r, LOW),
        "under the pulse": ((begin + stop) / 2, stop, driven.r, HIGH),
        "after the pulse": ((stop + end) / 2, end, focus.r, HIGH),
    }
    found = []
    for name, (first, last, r, tolerance) in spans.items():
        for label, value in zip(results.labels, results.mean(first, last), strict=True):
            told = f"rate of {label} {name}"
            found.append(checks.relative(told, value, r * rate, tolerance, source=SOURCE, unit="Hz"))
    if s.pair_weight == 0:
        found += ringing(results, focus)
    return found


def ringing(results, focus):
    """Return the checks on the frequency at which both regions swing into the focus after the pulse."""
    found = []
    expected = focus.eigenvalues[0].imag / (2 * np.pi) * 1e3 / results.brain.tau
    source = (
        f"{SOURCE}: imaginary part of the eigenvalue; five standard errors of the fit, and 1 % for large amplitudes"
    )
    for region, label in enumerate(results.labels):
        frequency, error = fitted(results, region, focus)
        name, tolerance = f"frequency of {label} after the pulse", 0.01 * expected + 5 * error
        found.append(checks.absolute(name, frequency, expected, tolerance, source=source, unit="Hz"))
    return found


def swing(t, amplitude, decay, omega, phase, mean):
    """A damped oscillation; t in ms."""
    return mean + amplitude * np.exp(-decay * t) * np.cos(omega * t + phase)


def fitted(results, region, focus):
    """Return the frequency [Hz] of the swing from 10 to 80 ms after the pulse, and its standard error."""
    begin, tau = results.brain.stimulus_stop + 10, results.brain.tau
    time, rate = results.binned(1.0)
    span = (time > begin) & (time < begin + 70)
    eigenvalue = focus.eigenvalues[0]
    guess = [20, -eigenvalue.real / tau, abs(eigenvalue.imag) / tau, 0, 1e3 * focus.r / tau]
    best, covariance = curve_fit(swing, time[span] - begin, rate[span, region], guess)
    return 1e3 * abs(best[2]) / (2 * np.pi), 1e3 * np.sqrt(covariance[2, 2]) / (2 * np.pi)


def brain(results):
    """Return the checks on a brain with one column that is simulated elsewhere."""
    s, (column,) = results.brain, results.columns
    whole, source = results.in_one_piece, "the same brain of neural masses only, in one piece"
    if results.module.endswith(".column"):  # a neural mass as well: nothing but round-off may differ
        difference = np.abs(results.rate / whole - 1).max()
        return [checks.at_most("difference of all rates to the brain in one piece", difference, 1e-9, source=source)]
    others = np.delete(np.arange(len(results.labels)), column)
    rest = (0.3 * s.stimulus_start, s.stimulus_start)
    spans = {"at rest": (*rest, LOW), "under the pulse": (s.stimulus_start + 40, s.stimulus_start + 90, HIGH)}
    found = []
    for name, (first, last, tolerance) in spans.items():
        expected, value = results.mean(first, last, whole)[column], results.mean(first, last)[column]
        told = f"rate of the column {name}"
        found.append(checks.relative(told, value, expected, tolerance, source=source, unit="Hz"))
    changed = (results.mean(*rest) / results.mean(*rest, whole) - 1)[others]
    told = f"{source}; as far as the column may be off"
    found.append(checks.at_most("largest change of another rate at rest", np.abs(changed).max(), LOW, source=told))
    return found + recruitment(results, others)


def recruitment(results, others):
    """Return the checks on which regions are recruited, when, and in which order."""
    time, rate = results.binned(1.0)
    seen = onset(time, rate, ACTIVE)[others]
    (known, early, late) = (
        onset(*results.binned(1.0, rates), ACTIVE)[others]
        for rates in (results.in_one_piece, results.masses(HIGH), results.masses(-HIGH))
    )
    in_all = np.isfinite(known + early + late + seen)
    source = f"the brain in one piece, with a column whose rate is {HIGH:.1%} higher and lower"
    numbers = sorted(int(np.isfinite(times).sum()) for times in (early, late))
    found = [
        checks.between("regions recruited", int(np.isfinite(seen).sum()), *numbers, tolerance=0, source=source),
    ]
    if in_all.any():
        lag = float(np.mean((seen - known)[in_all]))
        bounds = [float(np.mean((times - known)[in_all])) for times in (early, late)]
        found.append(checks.between("lag of recruitment", lag, *bounds, tolerance=1.0, source=source, unit="ms"))
        ranks = [np.argsort(np.argsort(times[in_all])) for times in (seen, known)]
        order = float(np.corrcoef(*ranks)[0, 1])
        told = "order of recruitment in the brain in one piece; rank correlation"
        found.append(checks.between("rank correlation of the times of recruitment", order, 0.99, 1.0, source=told))
    return found


if __name__ == "__main__":
    main(sys.argv[1])
