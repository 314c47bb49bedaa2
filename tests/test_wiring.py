"""What a participant asks for against what the preCICE configuration has: every mistake is told with its remedy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_dolfinx import DOWN, UP, xml

from adapters.mesh import CouplingMesh
from adapters.wiring import CouplingError, Wiring
from scalebridge.fields import Field


@pytest.fixture
def wiring(tmp_path):
    """Return what makes the wiring of a participant of the configuration `xml()`."""

    def make(name="Macro", reads=UP, writes=DOWN):
        path = tmp_path / "case.xml"
        path.write_text(xml())
        return Wiring(path, name, reads, writes)

    return make


def test_channels_know_how_a_field_travels(wiring):
    macro, micro = wiring(), wiring("Micro", DOWN, UP)
    conductivity = macro.reading("Macro-Mesh", "Conductivity")
    assert tuple(conductivity.carriers) == ("Conductivity-00", "Conductivity-01", "Conductivity-11")
    assert (conductivity.shape, conductivity.wire_shape, conductivity.writer) == ((2, 2), (), "Micro")
    assert (conductivity.late, conductivity.initial, conductivity.arrival) == (True, False, 1)
    assert not conductivity.relaxed
    flux = micro.reading("Macro-Mesh", "Heat-Flux")
    assert (flux.shape, flux.wire_shape, flux.writer) == ((2,), (2,), "Macro")
    assert (flux.late, flux.initial, flux.arrival) == (False, True, 2)
    assert micro.writing("Macro-Mesh", "Liquid-Fraction").writer == "Micro"
    assert (macro.introduction, micro.introduction) == ("takes", "gives")


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ('<max-time-windows value="2" />', (1.0, 2, 0.5)),
        ('<max-time value="1.2" />', (1.2, 3, 0.5)),
        ('<max-time value="1.2" /><max-time-windows value="2" />', (1.0, 2, 0.5)),
    ],
)
def test_end_and_number_of_windows(tmp_path, ends, expected):
    path = tmp_path / "case.xml"
    path.write_text(xml().replace('<max-time-windows value="2" />', ends))
    assert Wiring(path, "Macro", UP, DOWN).horizon() == pytest.approx(expected)


def test_windows_set_by_the_first_participant_have_no_known_size(tmp_path):
    path = tmp_path / "case.xml"
    own = '<time-window-size value="-1" method="first-participant" />'
    path.write_text(xml().replace('<time-window-size value="0.5" />', own))
    assert Wiring(path, "Macro", UP, DOWN).horizon() == (float("inf"), 2, None)


def test_names_that_are_not_there(wiring):
    with pytest.raises(CouplingError, match=r"case.xml has no participant 'Makro'. Did you mean 'Macro'\?"):
        wiring("Makro")
    with pytest.raises(
        CouplingError, match=r"case.xml: Macro has no <provide-mesh name=\"Macromesh\" />. Did you mean"
    ):
        wiring().require_provided("Macromesh")
    with pytest.raises(CouplingError, match=r"Micro has no <receive-mesh name=\"Mesh\" ... />$"):
        wiring("Micro", DOWN, UP).require_access("Mesh")
    told = r"Macro reads 'Liquid-Fractions', which it does not declare. Did you mean 'Liquid-Fraction'\?"
    with pytest.raises(CouplingError, match=told):
        wiring().reading("Macro-Mesh", "Liquid-Fractions")
    with pytest.raises(CouplingError, match=r"Macro writes 'Conductivity', which it does not declare$"):
        wiring().writing("Macro-Mesh", "Conductivity")


def test_access_to_the_points_has_to_be_asked_for(wiring):
    micro = wiring("Micro", DOWN, UP)
    micro.require_access("Macro-Mesh")
    closed = replace(micro.participant.receives[0], api_access=False)
    micro.participant = replace(micro.participant, receives=(closed,))
    told = r'Micro works on the points of Macro-Mesh itself: <receive-mesh name="Macro-Mesh" ... /> needs api-access='
    with pytest.raises(CouplingError, match=told):
        micro.require_access("Macro-Mesh")


def test_data_that_the_configuration_lacks(wiring):
    told = r'case.xml: Macro reads Porosity on Macro-Mesh, but has no <read-data name="Porosity" mesh="Macro-Mesh" />$'
    with pytest.raises(CouplingError, match=told):
        wiring(reads={"Porosity": Field("1")}).reading("Macro-Mesh", "Porosity")
    told = r'but has no <read-data name="Conductivity-10" mesh="Macro-Mesh" />. Did you mean \'Conductivity-'
    with pytest.raises(CouplingError, match=told):
        wiring(reads={"Conductivity": Field("1", rank=2, symmetric=False)}).reading("Macro-Mesh", "Conductivity")


def test_scalars_and_vectors_are_not_mistaken_for_each_other(wiring):
    with pytest.raises(CouplingError, match="Velocity is a data:vector; Macro has it as a scalar"):
        wiring(reads={"Velocity": Field("m/s")}).reading("Macro-Mesh", "Velocity")
    with pytest.raises(CouplingError, match=r"case.xml:5: Temperature is a data:scalar; Macro has it as a vector"):
        wiring(writes={"Temperature": Field("K", rank=1)}).writing("Macro-Mesh", "Temperature")


def components(path, *indices):
    """Write a configuration whose conductivity has these components in place of 00, 01 and 11."""
    lines = []
    for line in xml().splitlines():
        if "Conductivity-01" in line:
            lines += [line.replace("-01", ij) for ij in indices]
        elif "Conductivity-" not in line:
            lines.append(line)
    text = "\n".join(lines)
    path.write_text(text)
    return Wiring(path, "Macro", UP, DOWN)


def test_a_symmetric_tensor_may_travel_whole_or_as_its_diagonal(tmp_path):
    for indices in (("-00", "-01", "-10", "-11"), ("-00", "-11"), ("00", "01", "11")):
        carriers = components(tmp_path / "case.xml", *indices).reading("Macro-Mesh", "Conductivity").carriers
        assert carriers == {f"Conductivity{ij}": (int(ij[-2]), int(ij[-1])) for ij in indices}


def test_components_that_are_not_those_of_a_symmetric_tensor(tmp_path):
    with pytest.raises(CouplingError, match='has no <read-data name="Conductivity-01" mesh="Macro-Mesh" />'):
        components(tmp_path / "case.xml", "-00", "-10", "-11").reading("Macro-Mesh", "Conductivity")
    told = "as a symmetric tensor of Conductivity-00, Conductivity-01, Conductivity-11: remove Conductivity01$"
    with pytest.raises(CouplingError, match=told):
        components(tmp_path / "case.xml", "-00", "-01", "-11", "01").reading("Macro-Mesh", "Conductivity")


def test_data_that_nobody_sends(tmp_path):
    path = tmp_path / "case.xml"
    text = xml()
    exchange = '<exchange data="Velocity" mesh="Macro-Mesh" from="Micro" to="Macro" initialize="false" />'
    path.write_text(text.replace(exchange, ""))
    with pytest.raises(CouplingError, match=r'nobody sends Velocity: there is no <exchange data="Velocity" to="Macro"'):
        Wiring(path, "Macro", UP, DOWN).reading("Macro-Mesh", "Velocity")


def test_a_start_that_an_acceleration_has_changed_is_refused(tmp_path):
    path = tmp_path / "case.xml"
    aitken = '<acceleration:aitken><data name="Velocity" mesh="Macro-Mesh" /></acceleration:aitken></coupling'
    text = xml().replace("</coupling", aitken)
    path.write_text(text.replace('first="Micro" second="Macro"', 'first="Macro" second="Micro"'))
    mesh = CouplingMesh(None, Wiring(path, "Macro", UP, DOWN), "Macro-Mesh", np.zeros((3, 2)), np.arange(3))
    told = (
        "the start of Liquid-Fraction on Macro-Mesh is not known: Micro cannot send initial data on a mesh that it "
        "receives, and what arrives first is changed by the acceleration. Make Micro the first participant"
    )
    with pytest.raises(CouplingError, match=told):
        print(mesh.read("Liquid-Fraction").old)
    assert not Wiring(path, "Micro", DOWN, UP).reading("Macro-Mesh", "Temperature").relaxed


def test_what_the_iterations_may_leave(wiring, tmp_path):
    assert wiring().left_by_iterations == 0.0  # its only measure is absolute
    path = tmp_path / "case.xml"
    path.write_text(xml().replace("<absolute-convergence-measure", "<relative-convergence-measure"))
    assert Wiring(path, "Macro", UP, DOWN).left_by_iterations == 1e-12
