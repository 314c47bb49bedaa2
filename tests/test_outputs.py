"""What a configuration names is written in the folder of the run and nowhere else."""

import shutil
from pathlib import Path

import pytest

from scalebridge.cases import reader
from scalebridge.cases.inspection import inspect
from scalebridge.cases.outputs import leaves
from scalebridge.findings import ConfigurationError

HUB = Path(__file__).parent / "hub"


@pytest.mark.parametrize("path", [".", "exports", "a/b/../c", "..", "../shared", "./../shared/x"])
def test_inside(path):
    assert not leaves(path)


@pytest.mark.parametrize("path", ["/tmp", "../..", "../../x", "a/../../../x", "../../../../etc", "~/x", "//etc"])
def test_outside(path):
    assert leaves(path)


def test_a_configuration_that_writes_elsewhere_is_refused(tmp_path):
    shutil.copytree(HUB, tmp_path / "pair")
    coupling = tmp_path / "pair" / "coupling.xml"
    text = coupling.read_text()
    text = text.replace(
        "<precice-configuration>\n",
        '<precice-configuration>\n  <log><sink type="file" output="/home/you/.profile" /></log>\n',
        1,
    )
    text = text.replace("  </participant>", '    <export:vtu directory="../../../public" />\n  </participant>', 1)
    coupling.write_text(text)
    case = reader.load(tmp_path / "pair")
    with pytest.raises(ConfigurationError) as caught:
        inspect(case, "embedded")
    assert [str(f).removeprefix(str(coupling)) for f in caught.value.findings if f.rule == "outputs-stay"] == [
        ':14: <export:vtu directory="../../../public">: leads out of the folder of the run; '
        'expected a folder inside it, such as directory="exports"',
        ': <sink type="file" output="/home/you/.profile">: leads out of the folder of the run; '
        'expected a file inside it, such as output="precice.log"',
    ]
