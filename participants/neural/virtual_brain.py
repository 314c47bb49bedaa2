"""The simulator of The Virtual Brain (TVB), with regions that are simulated elsewhere.

TVB's own models, integrator, coupling and delays do the work. A region that is simulated elsewhere remains one of TVB's
regions, but nobody listens to it: what arrives at the others is the rate that was put in its place.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvb.basic.profile import TvbProfile

from participants.neural import models
from participants.neural.connectome import Connectome

logging.basicConfig()  # before TVB has everything told
logging.getLogger("tvb").setLevel(logging.ERROR)
TvbProfile.set_profile(TvbProfile.MATLAB_PROFILE, run_init=False)  # the one that writes no files into the home

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # that what is only good for surfaces is not there
    from tvb.datatypes.connectivity import Connectivity
    from tvb.simulator import descriptors
    from tvb.simulator.coupling import Linear
    from tvb.simulator.history import SparseHistory
    from tvb.simulator.integrators import HeunDeterministic, HeunStochastic
    from tvb.simulator.models.infinite_theta import MontbrioPazoRoxin
    from tvb.simulator.noise import Additive
    from tvb.simulator.simulator import Simulator

type Array = NDArray[np.float64]
type Integers = NDArray[np.int64]

RATE = 0  # number of the variable that is the rate, and of the one that couples, in the models below


class History(SparseHistory):  # type: ignore[misc]
    """TVB's history of rates and its weights, in double instead of single precision."""

    nnz_weights = descriptors.NDArray(("n_nnzw",), "d")
    buffer = descriptors.NDArray(("n_time", "n_cvar", "n_node", "n_mode"), "d", read_only=False)


class VirtualBrain(Simulator):  # type: ignore[misc]
    """TVB's simulator, for regions of which some may be simulated elsewhere; sample s is the time s dt.

    Parameters
    ----------
    connectome, speed [mm/ms] : connections, and what travels along them.
    model : the equations of all regions, with which TVB's have to agree.
    strength : factor G of all weights.
    rates : (n,) [Hz] at all times up to sample 0.
    dt : step [ms].
    samples : number of steps of a window.
    noise : D [1/ms] of the white noise, of intensity sqrt(2 D), of the variable that is driven by input.
    """

    def __init__(
        self,
        connectome: Connectome,
        speed: float,
        model: models.Model,
        strength: float,
        rates: Array,
        *,
        dt: float,
        samples: int,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        connectivity = connections(connectome, speed, dt)
        start = model.start(rates).T[:, :, None]  # (variables, n, modes)
        equations, driven, noisy = counterpart(model, len(rates))
        self.hertz = float(model.rate(np.array([1.0, 0.0])))
        self.input_per_hertz = float(model.input(np.array(1.0)))
        super().__init__(
            connectivity=connectivity,
            conduction_speed=speed,
            model=equations,
            coupling=Linear(a=np.array([strength * self.hertz * self.input_per_hertz])),
            integrator=integrator(dt, noise * (np.arange(len(start)) == noisy), seed),
            initial_conditions=np.tile(start, (connectivity.horizon, 1, 1, 1)),
            monitors=(),
        )
        self.configure()
        self.input = getattr(equations, driven)
        self.constant = self.input.copy()
        self.origin = self.current_step
        self._stimulus = np.zeros((samples, len(rates)))
        self._elsewhere = np.zeros((samples, 0)), np.zeros(0, dtype=np.int64)  # rates in the next window, and of whom
        self._rates = np.tile(self.hertz * start[RATE, :, 0], (samples, 1))
        self._drive = np.tile(self._arriving(0), (samples, 1))

    @property
    def now(self) -> int:
        """Number of the sample that has been reached."""
        return int(self.current_step - self.origin)

    def put(self, first: int, rates: Array, regions: Integers) -> None:
        """Take the rates (samples, regions) [Hz] of regions at samples of the last window, or of the next one."""
        if first > self.now:
            self._elsewhere = rates, regions
            return
        self._rates[:, regions] = rates
        kept = slice(-min(self.history.n_time, len(rates)), None)
        steps = self.origin + np.arange(first, first + len(rates))[kept]
        self.history.buffer[(steps % self.history.n_time)[:, None], RATE, regions, 0] = rates[kept] / self.hertz

    def rates(self, first: int, count: int) -> Array:
        """Return the rates (count, n) [Hz] of all regions at the samples from `first` on, of the last window."""
        return self._rates.copy()

    def drive(self, first: int, count: int) -> Array:
        """Return what arrives (count, n) [Hz] at the samples from `first` on, of the last window or of the next one."""
        if first > self.now:
            return np.stack([self._arriving(sample) for sample in range(first, first + count)])
        return self._drive.copy()

    def advance(self, stimulus: Array) -> None:
        """Advance by a window, with the stimulus (samples, n) in each of its steps."""
        self._stimulus = stimulus
        for _ in self(n_steps=len(stimulus)):
            pass

    def save(self) -> Any:
        stream = self.integrator.noise.random_stream.get_state() if hasattr(self.integrator, "noise") else None
        return self.current_step, self.current_state.copy(), self.history.buffer.copy(), stream

    def restore(self, value: Any) -> None:
        self.current_step, self.current_state, self.history.buffer = value[0], value[1].copy(), value[2]
        if value[3] is not None:
            self.integrator.set_random_state(value[3])

    def _arriving(self, sample: int) -> Array:
        """Return what arrives (n,) [Hz] at a sample, with NaN where a rate that is needed is not known."""
        return self._in_hertz(super()._loop_compute_node_coupling(self.origin + sample + 1))

    def _in_hertz(self, coupling: Array) -> Array:
        hertz: Array = coupling[RATE, :, 0] / self.input_per_hertz
        return hertz

    # ---- what TVB calls before, in and after each of its steps, from step - 1 to step

    def _configure_history(self, initial_conditions: Array | None = None) -> None:
        self.history = History.from_simulator(self, initial_conditions)

    def _loop_update_stimulus(self, step: int, stimulus: Any) -> None:
        here = self._stimulus[step - self.current_step - 1]
        self.input[...] = self.constant + here.reshape(self.input.shape)

    def _loop_update_history(self, step: int, state: Array) -> None:
        j, (rates, regions) = step - self.current_step - 1, self._elsewhere
        self._rates[j] = self.hertz * state[RATE, :, 0]
        self._rates[j, regions] = rates[j]
        listened = state.copy()
        listened[RATE, :, 0] = self._rates[j] / self.hertz
        super()._loop_update_history(step, listened)

    def _loop_compute_node_coupling(self, step: int) -> Array:
        coupling: Array = super()._loop_compute_node_coupling(step)
        if (j := step - self.current_step - 2) >= 0:
            self._drive[j] = self._in_hertz(coupling)
        return coupling


def connections(connectome: Connectome, speed: float, dt: float) -> Any:
    """Return what TVB takes for a connectome, with its delays at a speed [mm/ms] in steps of dt [ms]."""
    connectivity = Connectivity(
        weights=connectome.weights,
        tract_lengths=connectome.lengths,
        region_labels=np.array(connectome.labels),
        centres=connectome.centres,
        speed=np.array([speed]),
    )
    connectivity.configure()
    connectivity.set_idelays(dt)
    return connectivity


def counterpart(model: models.Model, regions: int) -> tuple[Any, str, int]:
    """Return TVB's model with the parameters of ours, the name of its input, and the variable that this acts on."""
    if isinstance(model, models.MontbrioPazoRoxin):
        own = parameters(tau=model.tau, eta=model.eta, Delta=model.delta, J=model.J, cr=1, cv=0)
        return MontbrioPazoRoxin(I=np.zeros(regions), **own), "I", 1
    assert isinstance(model, models.WilsonCowan)
    return wilson_cowan(model, regions), "P", 0


def wilson_cowan(model: models.WilsonCowan, regions: int) -> Any:
    """Return TVB's model with the same parameters; of its thresholds b is ours, and its k are limits of responses."""
    from tvb.simulator.models.wilson_cowan import WilsonCowan  # Numba compiles it, which takes a second

    at_rest = np.zeros(1)
    k_e, k_i = (models.sigmoid(a, b, at_rest)[0] for a, b in ((model.a_e, model.theta_e), (model.a_i, model.theta_i)))
    own = parameters(
        tau_e=model.tau, tau_i=model.tau, r_e=1, r_i=1, k_e=k_e, k_i=k_i, c_e=1, c_i=1, alpha_e=1, alpha_i=1, Q=0,
        c_ee=model.c_ee, c_ei=model.c_ei, c_ie=model.c_ie, c_ii=model.c_ii,
        a_e=model.a_e, a_i=model.a_i, b_e=model.theta_e, b_i=model.theta_i, theta_e=0, theta_i=0,
    )  # fmt: skip
    return WilsonCowan(P=np.full(regions, model.P), shift_sigmoid=np.array([True]), **own)


def parameters(**values: float) -> dict[str, Array]:
    """Return parameters as TVB takes them."""
    return {name: np.array([value], dtype=np.float64) for name, value in values.items()}


def integrator(dt: float, noise: Array, seed: int) -> Any:
    """Return Heun's method, with white noise of D [1/ms] in each of the variables if there is any."""
    if not noise.any():
        return HeunDeterministic(dt=dt)
    return HeunStochastic(dt=dt, noise=Additive(nsig=noise, noise_seed=seed % 2**32))
