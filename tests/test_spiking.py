"""Quadratic integrate-and-fire neurons: rates of one, of many without and with synapses, of columns in a brain."""

import math

import numpy as np
import pytest
from coupled import participant, run
from neurons import TAU, begun, lorentzian, quantiles, rates
from scipy.optimize import brentq
from test_causality import EXPLICIT, XML, brain

from adapters import ensemble
from adapters.wiring import CouplingError
from participants.neural.spiking import Quadratic, QuadraticNeurons


@pytest.mark.parametrize(("dt", "error"), [(0.01, 0.05), (0.05, 0.3)])
def test_one_neuron_fires_with_the_square_root_of_its_current(dt, error):
    """Period pi tau / sqrt(I), from dv/dt = (v^2 + I) / tau between minus and plus infinity."""
    current = np.append(np.geomspace(1.0, 16.0, 100), -1.0)
    model = QuadraticNeurons(Quadratic(neurons=1, delta=0.0, eta=0.0, J=0.0, dt=dt, raster=0), seed=1)
    _, seen = model.solve(begun(model, current), {"current": current[:, None]}, 0.08)
    spikes = seen["spikes"]
    assert not (spikes.row == 100).any()
    times = [1e3 * spikes.time[spikes.row == row] for row in range(100)]
    late = np.array([np.diff(t).mean() for t in times]) - 10 * math.pi / np.sqrt(current[:100])
    np.testing.assert_allclose(late, 0, atol=dt)
    assert late.mean() == pytest.approx(0, abs=error * dt)  # where one step of silence more or less is an error of 1


@pytest.mark.parametrize("eta", [1.0, -1.0])
def test_without_synapses_the_rate_is_that_of_the_lorentzian(eta):
    """Montbrio, Pazo & Roxin (2015), fixed point of equations 12 without coupling."""
    assert quantiles(eta, 10**7) == pytest.approx(lorentzian(eta), rel=1e-3)
    model = QuadraticNeurons(Quadratic(neurons=4000, dt=0.05, eta=eta, J=0.0, raster=0), seed=1)
    _, found = rates(model, begun(model, [0.0]), [0.0], 0.1, 10)
    assert found[0] == pytest.approx(quantiles(eta, 4000), rel=0.01)


def test_ten_thousand_neurons_rest_at_the_fixed_points_of_their_mean_field():
    """0.081134, 1.373244 at I = 3, and 1.030597: fixed points of equations 12 of Montbrio, Pazo & Roxin (2015).

    So many quantiles rest at 0.0780, 1.3677 and 1.0210: there r = quantiles(eta + J r + I).
    """
    model = QuadraticNeurons(Quadratic(dt=0.05, raster=0), seed=1)
    state, _ = rates(model, begun(model, [0.0]), [0.0], 0.02, 2)
    state, low = rates(model, state, [0.0], 0.06, 6)
    state, _ = rates(model, state, [3.0], 0.06, 6)
    state, driven = rates(model, state, [3.0], 0.04, 4)
    state, _ = rates(model, state, [0.0], 0.06, 6)
    state, high = rates(model, state, [0.0], 0.06, 6)
    for found, current, exact, tolerance in (
        (low, 0, 0.081134, 0.05),
        (driven, 3, 1.373244, 0.015),
        (high, 0, 1.030597, 0.015),
    ):
        assert lorentzian(-5 + 15 * exact + current) == pytest.approx(exact, rel=1e-4)
        assert found[0] == pytest.approx(exact, rel=tolerance)
        here = brentq(lambda r, current=current: quantiles(-5 + 15 * r + current, 10**4) - r, 0.9 * exact, 1.1 * exact)
        assert found[0] == pytest.approx(here, rel=0.01)


def test_the_start_is_stationary():
    """Without synapses the first window fires as any other; a share 2 r tau / v_peak passes infinity, at any point."""
    model = QuadraticNeurons(Quadratic(neurons=4000, eta=20.0, J=0.0), seed=2)
    found = []
    state = begun(model, [0.0])
    since = -state["neurons"]["lastspike"][~state["neurons"]["not_refractory"]] / TAU
    for _ in range(12):
        state, one = rates(model, state, [0.0], 5e-4, 1)
        found.append(one[0])
    expected = lorentzian(20)
    spread = math.sqrt(expected * 5e-4 / TAU / 4000) / (5e-4 / TAU)
    np.testing.assert_allclose(found, expected, atol=4 * spread)
    assert len(since) == pytest.approx(4000 * 0.02 * expected, abs=4 * math.sqrt(4000 * 0.02 * expected))
    np.testing.assert_allclose(np.quantile(since, [0.0, 0.25, 0.5, 0.75, 1.0]), np.linspace(0, 0.02, 5), atol=0.004)


def test_steps_have_to_resolve_the_passage_through_infinity():
    with pytest.raises(CouplingError, match=r"dt 0.06 ms is too long for neurons .* at most half of that, 0.05 ms"):
        QuadraticNeurons(Quadratic(dt=0.06), seed=1)
    with pytest.raises(CouplingError, match=r"dt 0.05 ms is longer than the synaptic time of 0.02 ms"):
        QuadraticNeurons(Quadratic(dt=0.05, synaptic_time=0.02), seed=1)


SCALING = """<scaling precice-config="precice-config.xml">
<downscale data="Afferent-Rate" unit="Hz" to="current" map="synaptic-current" charge="10 ms" />
<downscale data="Stimulus" unit="1" to="stimulus" map="uniform" />
<upscale data="Column-Rate" unit="Hz" from="spikes" map="population-rate" />
</scaling>"""


@participant(Quadratic, reads=QuadraticNeurons.controls, writes=QuadraticNeurons.observables)
def columns(case):
    ensemble.run(case, ensemble.scaled(case, QuadraticNeurons(case.settings, case.seed)))


def test_columns_of_a_brain_do_the_same_on_any_number_of_ranks(tmp_path):
    end = "</coupling-scheme:parallel-explicit>"
    xml = XML.replace("SCHEME", EXPLICIT).replace("END", end).replace("TIME", "0.02").replace("WINDOW", "0.001")
    pulse = {"stimulus": 6.0, "stimulus_start": 3.0, "stimulus_stop": 13.0, "stimulus_regions": ["A"]}
    whole = {"columns": ["A", "B"], "pair_length": 6.0, "speed": 3.0, "dt": 0.1, "record": 0.1, **pulse}
    found = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        mains = {"Brain": (brain, whole), "Column": (columns, {"neurons": 200, "dt": 0.05, "J": 10.0, "raster": 200})}
        run(folder, xml, mains, scaling=SCALING, ranks={"Column": ranks})
        files = [folder / "Column" / name for name in ("raster.csv", "raster-1.csv")[:ranks]]
        spikes = np.concatenate([np.loadtxt(file, delimiter=",", skiprows=1) for file in files])
        with np.load(folder / "Brain" / "regions.npz", allow_pickle=False) as regions:
            found.append((regions["rate"], spikes[np.lexsort(spikes.T)]))
    (rates_of_one, spikes_of_one), (rates_of_two, spikes_of_two) = found
    np.testing.assert_array_equal(rates_of_two, rates_of_one)
    np.testing.assert_array_equal(spikes_of_two, spikes_of_one)
    sent = rates_of_one[1:].sum(axis=0) * 200 * 1e-4
    np.testing.assert_allclose(sent, np.bincount(spikes_of_one[:, 1].astype(int)), rtol=1e-9)
    assert (sent > 20).all()
