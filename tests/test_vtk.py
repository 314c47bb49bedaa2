"""VTK's XML files, as VTK itself writes them in every encoding, and as preCICE, DOLFINx and we do."""

import numpy as np
import pytest

from adapters import image
from scalebridge.compare import arrays, vtk
from scalebridge.compare.arrays import UnreadableError

pyvista = pytest.importorskip("pyvista")
from vtkmodules import vtkIOXML  # noqa: E402  (comes with pyvista)

N = 3000  # several blocks of compressed data


def grid():
    """A grid of N points and two cells with data of several types."""
    points = np.random.default_rng(1).random((N, 3))
    mesh = pyvista.UnstructuredGrid(np.array([3, 0, 1, 2, 3, 3, 4, 5]), np.array([5, 5], dtype=np.uint8), points)
    mesh.point_data["T"] = np.linspace(1.0, 2.0, N) ** 3
    mesh.point_data["v"] = points**2
    mesh.point_data["small"] = np.arange(N, dtype=np.float32)
    mesh.cell_data["T"] = np.array([1.5, -2.5])
    mesh.cell_data["kind"] = np.array([7, 8], dtype=np.int64)
    return mesh


def write(path, mesh, mode, compressor, *, encode=True, wide=True):
    writer = vtkIOXML.vtkXMLUnstructuredGridWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(mesh)
    getattr(writer, f"SetDataModeTo{mode}")()
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    writer.SetEncodeAppendedData(encode)
    writer.SetHeaderTypeToUInt64() if wide else writer.SetHeaderTypeToUInt32()
    assert writer.Write()


@pytest.mark.parametrize("compressor", ["None", "ZLib", "LZMA"])
@pytest.mark.parametrize(
    ("mode", "encode"), [("Ascii", True), ("Binary", True), ("Appended", True), ("Appended", False)]
)
@pytest.mark.parametrize("wide", [True, False])
def test_every_encoding(tmp_path, mode, encode, compressor, wide):
    mesh = grid()
    write(tmp_path / "a.vtu", mesh, mode, compressor, encode=encode, wide=wide)
    read = vtk.read(tmp_path / "a.vtu")
    rtol = 1e-9 if mode == "Ascii" else 0.0  # VTK writes fewer digits as text
    assert set(read.values) == {"T", "v", "small", "T (cells)", "kind"}
    for name in ("T", "v", "small"):
        np.testing.assert_allclose(read.values[name], mesh.point_data[name], rtol=rtol)
    np.testing.assert_array_equal(read.values["T (cells)"], mesh.cell_data["T"])
    np.testing.assert_array_equal(read.values["kind"], [7, 8])
    np.testing.assert_allclose(read.points, mesh.points, rtol=rtol)
    np.testing.assert_array_equal(read.geometry["connectivity"], range(6))


def test_what_is_compressed_otherwise_is_refused(tmp_path):
    write(tmp_path / "a.vtu", grid(), "Binary", "LZ4")
    with pytest.raises(
        UnreadableError, match=r"a\.vtu: cannot be read: compressed with vtkLZ4DataCompressor; only zlib"
    ):
        arrays.read(tmp_path / "a.vtu")


def test_our_images(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    image.save(tmp_path / "a.vti", {"ice": values}, (0.5, 0.25))
    read = arrays.read(tmp_path / "a.vti")
    np.testing.assert_array_equal(read.values["ice"], values.T.reshape(-1))
    np.testing.assert_array_equal(read.geometry["ImageData.Spacing"], [0.5, 0.25, 0.5])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<VTKFile", "not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><VTKFile/>', "a document type declaration, which is not read"),
        (
            '<VTKFile><Piece><PointData><DataArray type="Text" Name="a"/></PointData></Piece></VTKFile>',
            "'a' is of type",
        ),
        ('<VTKFile header_type="Float8"/>', "cannot be read"),
    ],
)
def test_what_is_no_such_file(tmp_path, text, message):
    (tmp_path / "a.vtu").write_text(text)
    with pytest.raises(UnreadableError, match=message):
        arrays.read(tmp_path / "a.vtu")


def test_times(tmp_path):
    (tmp_path / "sub").mkdir()
    pieces = "".join(f'<Piece Source="p{i}_0.vtu"/>' for i in range(2))
    (tmp_path / "sub" / "a0.pvtu").write_text(f"<VTKFile><PUnstructuredGrid>{pieces}</PUnstructuredGrid></VTKFile>")
    files = [("sub/a0.pvtu", 0.5), ("b.vti", 0.25), ("../c.vtu", 3.0)]
    sets = "".join(f'<DataSet timestep="{time}" file="{name}"/>' for name, time in files)
    (tmp_path / "all.pvd").write_text(f"<VTKFile><Collection>{sets}</Collection></VTKFile>")
    (tmp_path / "mesh.vtu.series").write_text('{"files": [{"name": "mesh.dt1.vtu", "time": 0.1}]}')
    assert vtk.times(tmp_path) == {
        tmp_path / "sub/p0_0.vtu": 0.5,
        tmp_path / "sub/p1_0.vtu": 0.5,
        tmp_path / "b.vti": 0.25,
        tmp_path / "mesh.dt1.vtu": 0.1,  # what is outside of the folder is left out
    }
