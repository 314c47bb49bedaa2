"""What populations of spiking neurons are known to do, whatever simulates them; without any simulator."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import erfcx

# ---- quadratic integrate-and-fire neurons

TAU = 0.01  # s


def begun(model, current):
    """Return a state of populations under these currents (n,)."""
    points = np.arange(len(current), dtype=float)[:, None]
    return model.start(points, {"current": np.asarray(current, dtype=float)[:, None]})


def rates(model, state, current, duration, windows):
    """Return the state after some windows, and the rate of each population over them, times tau."""
    fired = np.zeros(len(current))
    for _ in range(windows):
        state, seen = model.solve(state, {"current": np.asarray(current)[:, None]}, duration / windows)
        fired += seen["spikes"].counts()[:, 0]
    return state, fired / model.neurons / duration * TAU


def lorentzian(eta):
    """Return r tau = sqrt(eta + sqrt(eta^2 + Delta^2)) / (sqrt(2) pi), of infinitely many neurons without synapses."""
    return math.sqrt(eta + math.hypot(eta, 1)) / (math.sqrt(2) * math.pi)


def quantiles(eta, neurons):
    """Return r tau of as many neurons: the mean of sqrt(eta_j) / pi. Their strongest currents are too weak."""
    p = np.arange(1, neurons + 1) / (neurons + 1)
    return np.sqrt(np.maximum(eta + np.tan(np.pi * (p - 0.5)), 0)).mean() / math.pi


# ---- leaky integrate-and-fire neurons

UNCONNECTED = {"connectivity": 0.0, "background": 0.0, "raster": 0}


def under_a_current(model):
    """Check 1 / r = t_ref + tau ln((R I - V_r) / (R I - theta)), R = tau / C = 80 MOhm; up to the end of a step."""
    current, dt = np.array([[240.0], [260.0], [300.0], [400.0], [1000.0]]), model.settings.dt
    _, seen = model.solve(model.start(np.arange(5.0)[:, None], {"current": current}), {"current": current}, 0.15)
    spikes = seen["spikes"]
    assert not (spikes.row == 0).any()
    for row in range(1, 5):
        drive = 0.08 * current[row, 0]  # mV
        rise = 20 * math.log((drive - 10) / (drive - 20))
        period = 2 + math.ceil(rise / dt) * dt
        intervals = 1e3 * np.diff(spikes.time[spikes.row == row])
        assert len(intervals) > 1
        np.testing.assert_allclose(intervals, period, rtol=0, atol=1e-9)


def mean_rate(model, duration, windows):
    """Return the rate [Hz] of a population that is left to itself, once a third of the windows is over."""
    state, fired = model.start(np.zeros((1, 1)), {}), 0
    for window in range(windows):
        state, seen = model.solve(state, {}, duration / windows)
        if window >= windows // 3:
            fired += seen["spikes"].time.size
    return fired / model.neurons / duration / (1 - (windows // 3) / windows)


def siegert(mean, sigma, tau=20.0, threshold=20.0):
    """Return the rate [Hz] of a neuron with this mean input and noise [mV], for V_r = 10 mV and t_ref = 2 ms.

    1 / r = t_ref + tau sqrt(pi) int_a^b exp(u^2) (1 + erf u) du, a, b = (V_r - mu) / sigma, (theta - mu) / sigma
    (Brunel, J. Comput. Neurosci. 8, 183 (2000), equation 21).
    """
    area, _ = quad(lambda u: erfcx(-u), (10 - mean) / sigma, (threshold - mean) / sigma)
    return 1e3 / (2 + tau * math.sqrt(math.pi) * area)


def poisson(mean, J, tau=20.0):
    """Return the rate [Hz] of a neuron under Poisson spikes of weight J [mV] that have this mean [mV].

    mu = J nu tau, sigma^2 = J^2 nu tau; Siegert's equation is of diffusion, but jumps of J go beyond the threshold by
    J / 2 in the mean.
    """
    return siegert(mean, math.sqrt(J * mean), tau, threshold=20 + J / 2)


def balanced(J, synapses, g, background, tau=20.0):
    """Return the rate [Hz] of a network of neurons that are to each other what Poisson spikes are to one.

    mu = tau J (nu_0 + C_E r (1 - g / 4)), sigma^2 = tau J^2 (nu_0 + C_E r (1 + g^2 / 4)), with C_E excitatory
    `synapses` of weight J [mV] onto each, and a `background` nu_0 [1/ms] (Brunel (2000), equations 4 and 5).
    """
    rate = 30.0
    for _ in range(200):
        mean = tau * J * (background + synapses * rate / 1e3 * (1 - g / 4))
        sigma = math.sqrt(tau * J**2 * (background + synapses * rate / 1e3 * (1 + g * g / 4)))
        rate += 0.1 * (siegert(mean, sigma, tau) - rate)
    return rate
