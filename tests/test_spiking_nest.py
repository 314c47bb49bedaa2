"""Quadratic integrate-and-fire neurons in NEST: rates of one, of many without and with synapses, and in a brain."""

import math
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("nest") is None:
    pytest.skip("NEST is not installed (extra neural)", allow_module_level=True)

from coupled import participant, run
from neurons import TAU, begun, lorentzian, quantiles, rates
from scipy.optimize import brentq
from test_causality import EXPLICIT, XML, brain

from adapters import ensemble
from adapters.wiring import CouplingError
from participants.neural.quadratic import Quadratic
from participants.neural.spiking_nest import QuadraticNeurons, way_back
from scalebridge.settings import schema


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5])
def test_on_the_way_back_a_neuron_loses_the_time_that_infinity_takes(step):
    """Period pi / sqrt(a) of v' = v^2 + a from minus to plus infinity, in the mean over currents a; v_peak is 1."""
    (_, q), *_ = way_back(step)
    for size, tolerance in ((1e-4, 0.01), (1e-2, 0.05)):
        a = size * np.linspace(0.8, 1.2, 4000)
        v, u, steps, on = np.full(4000, -1.0), q, np.zeros(4000), np.ones(4000, dtype=bool)
        while on.any():
            v, u = np.where(on, v + step * (v**2 - u + a), v), u * (1 - step)
            steps += on
            on &= v < 1
        # without the way back it would be 2 less
        assert (step * steps - math.pi / np.sqrt(a)).mean() == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize(("eta", "dt"), [(1.0, 0.05), (-1.0, 0.05), (20.0, 0.02)])
def test_without_synapses_the_rate_is_that_of_the_lorentzian(eta, dt):
    """Montbrio, Pazo & Roxin (2015), fixed point of equations 12 without coupling, for so many neurons."""
    model = QuadraticNeurons(Quadratic(neurons=4000, dt=dt, synaptic_time=1.0, eta=eta, J=0.0, raster=0), seed=1)
    _, found = rates(model, begun(model, [0.0]), [0.0], 0.1, 10)
    spread = math.sqrt(4000) / 2 / 4000 / 0.1 * TAU  # whether a neuron fires once more is a matter of where it started
    assert found[0] == pytest.approx(quantiles(eta, 4000), abs=3 * spread)


def test_the_start_is_stationary():
    """Without synapses the first window fires as any other."""
    model = QuadraticNeurons(Quadratic(neurons=20000, dt=0.02, synaptic_time=0.5, eta=20.0, J=0.0, raster=0), seed=2)
    found, state = [], begun(model, [0.0])
    for _ in range(12):
        state, one = rates(model, state, [0.0], 5e-4, 1)
        found.append(one[0])
    expected = lorentzian(20)
    spread = math.sqrt(expected * 5e-4 / TAU / 20000) / (5e-4 / TAU)
    np.testing.assert_allclose(found, expected, atol=4 * spread)


def test_they_rest_at_the_fixed_points_of_their_mean_field():
    """0.081134, 1.373244 at I = 3, and 1.030597: fixed points of equations 12 of Montbrio, Pazo & Roxin (2015).

    So many quantiles rest where r = quantiles(eta + J r + I).
    """
    model = QuadraticNeurons(Quadratic(neurons=4000, dt=0.05, raster=0), seed=1)
    state, low = rates(model, begun(model, [0.0]), [0.0], 0.04, 4)
    state, _ = rates(model, state, [3.0], 0.06, 6)
    state, driven = rates(model, state, [3.0], 0.04, 4)
    state, _ = rates(model, state, [0.0], 0.06, 6)
    state, high = rates(model, state, [0.0], 0.04, 4)
    for found, current, exact in ((low, 0, 0.081134), (driven, 3, 1.373244), (high, 0, 1.030597)):
        here = brentq(lambda r, current=current: quantiles(-5 + 15 * r + current, 4000) - r, 0.9 * exact, 1.1 * exact)
        assert found[0] == pytest.approx(here, rel=0.01)
        assert here == pytest.approx(exact, rel=0.08 if found is low else 0.02)


def test_a_pulse_gives_the_rates_that_it_gives_in_brian():
    """The same neurons from the same potentials, in another discretisation: tau r(t) in samples of 1 ms."""
    from participants.neural import spiking  # brings Brian2, without which a column in a brain starts sooner

    same = {"neurons": 2000, "dt": 0.02, "raster": 0}
    found = []
    for model in (QuadraticNeurons(Quadratic(**same), 4), spiking.QuadraticNeurons(spiking.Quadratic(**same), 4)):
        state, trace = begun(model, [0.0]), []
        for window in range(60):
            state, one = rates(model, state, [6.0 if 10 <= window < 40 else 0.0], 1e-3, 1)
            trace.append(one[0])
        found.append(trace)
    ours, theirs = np.array(found)
    assert theirs.max() > 2.5
    # a rate of 2.5 is 500 spikes in 1 ms: the same potentials drift apart by the noise of so many
    assert np.sqrt(((ours - theirs) ** 2).mean()) < 0.1


def test_steps_have_to_resolve_the_passage_through_infinity():
    with pytest.raises(CouplingError, match=r"dt 0.06 ms is too long for neurons .* at most half of that, 0.05 ms"):
        QuadraticNeurons(Quadratic(dt=0.06), seed=1)
    with pytest.raises(CouplingError, match=r"synaptic_time 0.1 ms is no whole number of steps of dt 0.03 ms"):
        QuadraticNeurons(Quadratic(dt=0.03), seed=1)


def test_simulators_are_swapped_by_the_module_alone():
    """Settings that both have are called the same, and are the same."""
    from participants.neural import spiking

    ours, theirs = schema(Quadratic), schema(spiking.Quadratic)
    assert theirs.keys() - ours.keys() == {"codegen"}
    assert ours == {name: theirs[name] for name in ours}
    assert QuadraticNeurons.controls == spiking.QuadraticNeurons.controls
    assert QuadraticNeurons.observables["spikes"] == spiking.QuadraticNeurons.observables["spikes"]


# ---- in a brain

SCALING = """<scaling precice-config="precice-config.xml">
<downscale data="Afferent-Rate" unit="Hz" to="current" map="synaptic-current" charge="0.01 s" kernel="none" />
<downscale data="Stimulus" unit="1" to="stimulus" map="uniform" />
<upscale data="Column-Rate" unit="Hz" from="spikes" map="population-rate" kernel="counts" />
</scaling>"""


@participant(Quadratic, reads=QuadraticNeurons.controls, writes=QuadraticNeurons.observables)
def columns(case):
    ensemble.run(case, ensemble.scaled(case, QuadraticNeurons(case.settings, case.seed)))


def test_a_brain_sees_every_spike_of_its_column(tmp_path):
    """The rates that the brain has read are the spikes of the raster, and those are many during the stimulus."""
    end = "</coupling-scheme:parallel-explicit>"
    xml = XML.replace("SCHEME", EXPLICIT).replace("END", end).replace("TIME", "0.02").replace("WINDOW", "0.001")
    whole = {"columns": ["B"], "pair_length": 6.0, "speed": 3.0, "dt": 0.1, "record": 0.1}
    pulse = {"stimulus": 10.0, "stimulus_start": 5.0, "stimulus_stop": 15.0}
    mains = {"Brain": (brain, {**whole, **pulse}), "Column": (columns, {"neurons": 200, "dt": 0.05, "raster": 200})}
    run(tmp_path, xml, mains, scaling=SCALING)
    spikes = np.loadtxt(tmp_path / "Column" / "raster.csv", delimiter=",", skiprows=1)
    with np.load(tmp_path / "Brain" / "regions.npz") as found:
        time, rate = found["time"], found["rate"]
    counted = np.histogram(spikes[:, 0], np.append(0, time + 1e-9))[0] / 200 / 1e-4
    np.testing.assert_allclose(rate[:, 1], counted, rtol=1e-9)
    assert len(spikes) > 300
