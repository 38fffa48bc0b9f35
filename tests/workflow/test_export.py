"""A run in the formats of other programs, each read back by the library it belongs to."""

from __future__ import annotations

import json
from itertools import islice

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.errors import WriteError
from bayes_mdd.files.layout import merge_chains
from bayes_mdd.files.marks import EXPORT, EXPORTED, RUN
from bayes_mdd.results.exports.formats import FORMATS, Format
from bayes_mdd.results.regions import edge_matrix
from bayes_mdd.shared_specific.figures import listing

AFFINE = np.array([[3.0, 0, 0, -20], [0, 3, 0, -30], [0, 0, 3, -10], [0, 0, 0, 1]])
LABELS = [31, 12, 7, 5, 22, 23, 40, 2, 9, 11]


@pytest.fixture(scope="module", autouse=True)
def few_figures():
    """One figure per run: `test_export_figures.py` tests all of them."""
    with pytest.MonkeyPatch.context() as patch:
        of_all = listing._of_all
        patch.setattr(listing, "_of_one", lambda *_: ())
        patch.setattr(listing, "_of_all", lambda *given: islice(of_all(*given), 1))
        yield


@pytest.fixture(scope="module")
def idata():
    return make_fake_idata(links="by_arm")


@pytest.fixture(scope="module")
def sig(idata):
    return bm.signatures(idata)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """A label image in MNI space: two voxels a region, the rest background."""
    data = np.zeros((6, 6, 6), dtype=np.int16)
    for i, label in enumerate(LABELS):
        data[i % 6, i // 6, 1:3] = label
    image = nib.Nifti1Image(data, AFFINE)
    image.set_sform(AFFINE, code=4)
    path = tmp_path_factory.mktemp("atlas") / "atlas.nii.gz"
    nib.save(image, path)
    return path


@pytest.fixture(scope="module")
def done(idata, atlas, tmp_path_factory):
    """Every format that needs no surface."""
    return bm.export_run(idata, tmp_path_factory.mktemp("out") / "export", atlas=atlas)


def folder_of(done, name):
    return done.files[name][-1].parent


def test_nifti_maps_have_values_units_space_and_intent(idata, sig, done):
    folder = folder_of(done, "nifti")
    images = {
        stat: nib.load(folder / f"factor-F1_stat-{stat}_statmap.nii.gz")
        for stat in (
            *("mean", "lower", "upper", "ppositive", "strength", "positive", "negative"),
            *("strengthlower", "positiveupper"),
        )
    }
    for stat, image in images.items():
        header = image.header
        assert header.get_xyzt_units()[0] == "mm"
        assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 4)
        np.testing.assert_allclose(image.affine, AFFINE)
        np.testing.assert_allclose(image.get_qform(), AFFINE, atol=1e-5)
        assert header.get_intent()[0] == "estimate" and header.get_intent()[2] == f"F1 {stat}"[:15]
        assert image.get_data_dtype() == np.float32
    at = {stat: image.get_fdata()[0, 0, 1] for stat, image in images.items()}  # DMN_1
    touches = (sig["region_a"] == "DMN_1") | (sig["region_b"] == "DMN_1")
    loading = sig["mean"].sel(factor="F1").values[touches.values]
    draws = merge_chains(idata["loadings"].to_dataset()).sel(factor="F1").values[:, touches.values]
    drawn = draws.mean(axis=1)
    assert at["mean"] == pytest.approx(loading.mean(), rel=1e-5)
    assert at["strength"] == pytest.approx(np.abs(loading).mean(), rel=1e-5)
    assert at["positive"] == pytest.approx(np.clip(loading, 0, None).mean(), rel=1e-5)
    assert at["positive"] + at["negative"] == pytest.approx(at["mean"], rel=1e-5)
    assert at["lower"] == pytest.approx(np.quantile(drawn, 0.05), rel=1e-5)
    assert at["upper"] == pytest.approx(np.quantile(drawn, 0.95), rel=1e-5)
    assert at["ppositive"] == pytest.approx((drawn > 0).mean())
    aligned = (draws * np.sign(loading)).mean(axis=1)
    assert at["strengthlower"] == pytest.approx(np.quantile(aligned, 0.05), rel=1e-5)
    above = (draws * (loading > 0)).mean(axis=1)
    assert at["positiveupper"] == pytest.approx(np.quantile(above, 0.95), rel=1e-5)
    assert np.isnan(images["ppositive"].get_fdata()[5, 5, 5])
    note = json.loads((folder / "factor-F1_stat-ppositive_statmap.json").read_text())
    assert note["Units"] == "probability" and note["Interval"]["ci_prob"] == 0.9
    # Only factors that are used.
    assert {p.name.split("_")[0] for p in done.files["nifti"]} == {
        *("factor-F1", "factor-F2", "factor-F3", EXPORT)
    }


def test_brainnet_viewer_files(sig, done):
    folder = folder_of(done, "brainnet")
    nodes = pd.read_csv(folder / "factor-F2_brainnet.node", sep=r"\s+", header=None)
    assert nodes.shape == (10, 6) and nodes.iloc[0, :3].tolist() == [-6, -50, 28]
    edges = np.loadtxt(folder / "factor-F2_brainnet.edge")
    wanted = edge_matrix(sig, sig["mean"].sel(factor="F2").values).fillna(0)
    np.testing.assert_allclose(edges, wanted, atol=1e-5)


def test_formats_that_do_not_apply_are_named_together(tmp_path):
    bare = make_fake_idata(coordinates=False)
    with pytest.raises(bm.DataContractError) as error:
        bm.export_run(bare, tmp_path / "x", formats=["nifti", "brainnet"])
    assert "format 'nifti'" in str(error.value) and "format 'brainnet'" in str(error.value)
    assert "--atlas" in str(error.value) and not (tmp_path / "x").exists()
    with pytest.raises(bm.SpecError, match="niftii"):
        bm.export_run(bare, tmp_path / "x", formats=["niftii"])


def test_nothing_is_replaced_unasked_and_foreign_files_never(idata, atlas, tmp_path):
    first = bm.export_run(idata, tmp_path, formats=["nifti"], atlas=atlas)
    before = {p: p.read_bytes() for p in first.files["nifti"]}
    with pytest.raises(bm.RunFolderError, match="--force"):
        bm.export_run(idata, tmp_path, formats=["brainnet", "nifti"], atlas=atlas)
    assert not (tmp_path / "brainnet").exists()
    assert {p: p.read_bytes() for p in first.files["nifti"]} == before
    one = idata.copy()
    bm.export_run(
        make_fake_idata(idle=(1,)), tmp_path, formats=["nifti"], atlas=atlas, overwrite=True
    )
    assert not list((tmp_path / "nifti").glob("factor-F2*"))
    (tmp_path / "nifti" / "mine.txt").write_text("kept")
    with pytest.raises(bm.RunFolderError, match=r"mine\.txt"):
        bm.export_run(one, tmp_path, formats=["nifti"], atlas=atlas, overwrite=True)
    assert (tmp_path / "nifti" / "mine.txt").exists()


def test_formats_of_one_export_are_complete_together_or_not_there(idata, tmp_path, monkeypatch):
    """So that the command can be repeated after it was stopped."""

    def full(material, folder):
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "graphml", Format(lambda _: None, full))
    with pytest.raises(WriteError, match="graphml"):
        bm.export_run(idata, tmp_path / "out", formats=["brainnet", "graphml"])
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.undo()
    bm.export_run(idata, tmp_path / "out", formats=["brainnet", "graphml"])


def test_a_run_folder_with_exports_can_still_be_replaced(done):
    """Every file is one that `fit --force` knows as the package's own."""
    written = [f"{p.parent.name}" for files in done.files.values() for p in files]
    root = folder_of(done, "nifti").parent
    kind = type(RUN)("export", lambda folder: True, EXPORTED)
    assert written and kind.foreign(root) == []


def test_an_atlas_that_does_not_fit_is_an_error_and_leaves_nothing(idata, tmp_path):
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.int16), AFFINE), tmp_path / "other.nii.gz")
    with pytest.raises(bm.DataContractError, match="no voxel for 10 of 10 regions"):
        bm.export_run(idata, tmp_path / "x", formats=["nifti"], atlas=tmp_path / "other.nii.gz")
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "other.nii.gz"]


def test_bids_derivatives(sig, atlas, done):
    root = folder_of(done, "bids")
    described = json.loads((root / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= described.keys()
    assert described["DatasetType"] == "derivative" and (root / "README").stat().st_size
    folder = root / "atlases" / "atlas-regions"
    table = pd.read_csv(folder / "atlas-regions_dseg.tsv", sep="\t")
    assert table["index"].tolist() == LABELS
    image = nib.load(folder / "atlas-regions_space-atlas_dseg.nii.gz")
    np.testing.assert_array_equal(image.get_fdata(), nib.load(atlas).get_fdata())
    assert image.header.get_intent()[0] == "label" and int(image.header["sform_code"]) == 4
    matrix = pd.read_csv(
        root / "group" / "seg-regions_stat-mean_desc-F1_relmat.tsv", sep="\t", na_values="n/a"
    )
    assert matrix.columns.tolist() == table["name"].tolist()
    wanted = edge_matrix(sig, sig["mean"].sel(factor="F1").values)
    np.testing.assert_allclose(matrix, wanted, rtol=1e-5)
    for path in (root / "group").glob("*_relmat.tsv"):
        note = json.loads(path.with_suffix(".json").read_text())
        assert path.name.split("_desc-")[1].startswith(note["Factor"])


@pytest.mark.slow
def test_nilearn_finds_the_regions_of_the_bids_image_in_the_table(sig, done):
    from nilearn.maskers import NiftiLabelsMasker

    folder = folder_of(done, "bids") / "atlases" / "atlas-regions"
    image = nib.load(folder / "atlas-regions_space-atlas_dseg.nii.gz")
    masker = NiftiLabelsMasker(image, lut=folder / "atlas-regions_dseg.tsv", standardize=None)
    mean = nib.load(folder_of(done, "nifti") / "factor-F1_stat-mean_statmap.nii.gz")
    # nilearn warns of the NaN outside the regions.
    found = masker.fit_transform(nib.Nifti1Image(np.nan_to_num(mean.get_fdata()), mean.affine))
    strength = bm.region_strength(sig).sel(factor="F1").values[np.argsort(LABELS)]
    np.testing.assert_allclose(np.ravel(found), strength, rtol=1e-5)


def test_graphml_follows_the_standard(sig, done):
    """Keys are declared, ids are unique, ends of edges exist, values are of the declared type."""
    import xml.etree.ElementTree as ET

    space = "{http://graphml.graphdrawing.org/xmlns}"
    root = ET.parse(folder_of(done, "graphml") / "factor-F1.graphml").getroot()
    assert root.tag == f"{space}graphml"
    # The order that the schema prescribes: keys before the graph.
    assert [e.tag.removeprefix(space) for e in root] == ["key"] * (len(root) - 1) + ["graph"]
    keys = {e.get("id"): e for e in root.iter(f"{space}key")}
    assert len(keys) == len(root) - 1
    graph = root[-1]
    assert graph.get("edgedefault") == "undirected"
    read = {"string": str, "double": float}

    def rows(of):
        found = {}
        for element in graph.findall(f"{space}{of}"):
            data = element.findall(f"{space}data")
            assert all(keys[d.get("key")].get("for") == of for d in data)
            assert element.get("id") not in found
            found[element.get("id")] = element.attrib | {
                keys[d.get("key")].get("attr.name"): read[keys[d.get("key")].get("attr.type")](
                    d.text
                )
                for d in data
            }
        return found

    nodes, edges = rows("node"), rows("edge")
    assert (len(nodes), len(edges)) == (10, 45)
    assert nodes["n0"]["label"] == "DMN_1" and nodes["n0"]["y"] == -50
    for i, edge in enumerate(edges.values()):
        pair = sig["region_a"].values[i], sig["region_b"].values[i]
        assert (nodes[edge["source"]]["label"], nodes[edge["target"]]["label"]) == pair
        assert edge["weight"] == pytest.approx(float(sig["mean"].sel(factor="F1")[i]), rel=1e-5)


@pytest.fixture(scope="module")
def surface_atlas(sig, tmp_path_factory):
    """Ten regions of three grayordinates each: five on each cortex, and one subcortical voxel."""
    cifti = nib.cifti2
    left = cifti.BrainModelAxis.from_surface(np.arange(2, 17), 20, name="CORTEX_LEFT")
    right = cifti.BrainModelAxis.from_surface(np.arange(12), 20, name="CORTEX_RIGHT")
    mask = np.zeros((4, 4, 4), bool)
    mask[1, 1, 1:4] = True
    deep = cifti.BrainModelAxis.from_mask(mask, affine=np.eye(4), name="THALAMUS_LEFT")
    names = sig["region"].values.tolist()
    table = {0: ("???", (1, 1, 1, 0))} | {i + 1: (n, (1, 0, 0, 1)) for i, n in enumerate(names)}
    values = np.repeat(np.arange(1, 11), 3)[None].astype(np.float32)
    image = cifti.Cifti2Image(values, (cifti.LabelAxis(["atlas"], [table]), left + right + deep))
    image.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_DENSE_LABELS")
    path = tmp_path_factory.mktemp("surface") / "atlas.dlabel.nii"
    nib.save(image, path)
    return path


@pytest.fixture(scope="module")
def on_surface(idata, surface_atlas, tmp_path_factory):
    return bm.export_run(
        idata,
        tmp_path_factory.mktemp("out") / "export",
        formats=["cifti", "gifti"],
        surface_atlas=surface_atlas,
    )


def test_cifti_parcels(sig, on_surface):
    folder = folder_of(on_surface, "cifti")
    scalars = nib.load(folder / "factor-F1_regions.pscalar.nii")
    assert scalars.nifti_header.get_intent()[0] == "ConnParcelScalr"
    names, parcels = (scalars.header.get_axis(i) for i in (0, 1))
    assert names.name[:2].tolist() == [
        "F1 shared: DMN-CCN, DMN-DMN, mean",
        "F1 shared: DMN-CCN, DMN-DMN, lower",
    ]
    assert parcels.name.tolist() == sig["region"].values.tolist()
    assert parcels.nvertices == {
        "CIFTI_STRUCTURE_CORTEX_LEFT": 20,
        "CIFTI_STRUCTURE_CORTEX_RIGHT": 20,
    }
    assert parcels.vertices[0]["CIFTI_STRUCTURE_CORTEX_LEFT"].tolist() == [2, 3, 4]
    assert parcels.voxels[9].tolist() == [[1, 1, 1], [1, 1, 2], [1, 1, 3]]
    strength = bm.region_strength(sig).sel(factor="F1").values
    np.testing.assert_allclose(scalars.get_fdata()[0], strength, rtol=1e-5)
    matrix = nib.load(folder / "factor-F1_stat-upper_edges.pconn.nii")
    assert matrix.nifti_header.get_intent()[0] == "ConnParcels"
    wanted = edge_matrix(sig, sig["upper"].sel(factor="F1").values)
    np.testing.assert_allclose(matrix.get_fdata(), wanted, rtol=1e-5)
    assert matrix.header.get_axis(0) == matrix.header.get_axis(1) == parcels


def test_gifti_maps_lie_on_their_vertices(sig, on_surface):
    folder = folder_of(on_surface, "gifti")
    left, right = (nib.load(folder / f"factor-F1_hemi-{h}_regions.func.gii") for h in "LR")
    assert left.meta["AnatomicalStructurePrimary"] == "CortexLeft"
    assert right.darrays[0].meta["Name"] == "F1 shared: DMN-CCN, DMN-DMN, mean"
    strength = bm.region_strength(sig).sel(factor="F1").values
    wanted = np.full(20, np.nan)
    wanted[2:17] = np.repeat(strength[:5], 3)
    np.testing.assert_allclose(left.darrays[0].data, wanted, rtol=1e-5)
    np.testing.assert_allclose(right.darrays[0].data[:12], np.repeat(strength[5:9], 3), rtol=1e-5)
    assert np.isnan(right.darrays[0].data[12:]).all()


def test_every_file_bears_the_name_of_its_factor(idata, sig, done, on_surface):
    names = bm.classify_factors(idata).query("label != 'unused'").set_index("factor")["name"]
    assert sig["name"].values.tolist() == names.tolist()
    for factor, name in names.items():
        notes = [
            p
            for root in (folder_of(done, "nifti").parent, folder_of(on_surface, "cifti").parent)
            for p in root.rglob("*.json")
            if {f"factor-{factor}", f"desc-{factor}"} & set(p.stem.split(".")[0].split("_"))
        ]
        assert len(notes) > 12
        assert {json.loads(p.read_text())["Name"] for p in notes} == {name}
        surface = folder_of(on_surface, "cifti") / f"factor-{factor}_regions.pscalar.nii"
        assert all(n.startswith(name) for n in nib.load(surface).header.get_axis(0).name)
        graph = folder_of(done, "graphml") / f"factor-{factor}.graphml"
        assert f'<data key="g0">{name}</data>' in graph.read_text()
    images = pd.read_csv(folder_of(done, "neurovault") / "images.tsv", sep="\t")
    assert {n.rsplit(", ", 1)[0] for n in images["name"]} == set(names)
    tables = [p for p in folder_of(done, "tables").glob("*.tsv") if p.stem != "dictionary"]
    for path in tables:
        table = read_table(path)
        if {"factor", "name"} <= set(table):
            said = table.drop_duplicates("factor").set_index("factor")["name"]
            assert said.to_dict() == {f: names[f] for f in said.index}, path.name


def test_a_file_that_is_no_surface_atlas_is_named(idata, atlas, tmp_path):
    with pytest.raises(bm.DataContractError, match="no CIFTI label file"):
        bm.export_run(idata, tmp_path / "x", formats=["cifti"], surface_atlas=atlas)
    with pytest.raises(bm.DataContractError, match=r"'gifti': there is no surface atlas"):
        bm.export_run(idata, tmp_path / "x", formats=["gifti"])
    assert not list((tmp_path / "x").rglob("*"))


def read_table(path):
    """As R and SPSS read it: empty cells are missing, nothing else is."""
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])


def test_tables_hold_the_results_and_every_column_is_described(idata, done):
    folder = folder_of(done, "tables")
    names = {p.name for p in folder.iterdir()}
    assert names == {
        *("factors.tsv", "arms.tsv", "links.tsv", "links_by_arm.tsv"),
        *("top_loadings.tsv", "top_regions.tsv"),
        *("dictionary.tsv", "tables.json", EXPORT),
    }
    factors = read_table(folder / "factors.tsv")
    wanted = bm.classify_factors(idata).head(3)
    assert factors["factor"].tolist() == ["F1", "F2", "F3"]
    np.testing.assert_allclose(factors["p_shared"], wanted["p_shared"], rtol=1e-7)
    assert factors["active"].tolist() == [1, 1, 1] and factors["reliability"].isna().all()
    arms = read_table(folder / "arms.tsv")
    np.testing.assert_allclose(arms["explained"], bm.explained_by_arm(idata)["explained"])
    links = read_table(folder / "links_by_arm.tsv")
    np.testing.assert_allclose(
        links["mean"], bm.summarise_symptom_links(idata, by="arm")["mean"], rtol=1e-7
    )
    dictionary = read_table(folder / "dictionary.tsv")
    for name, part in dictionary.groupby("table"):
        assert part["column"].tolist() == read_table(folder / f"{name}.tsv").columns.tolist()
    assert dictionary["meaning"].notna().all()
    assert dictionary["column"].str.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}").all()
    said = dictionary.set_index(["table", "column"])["meaning"]
    assert said["factors", "explained_SSRI_lower"].endswith("(SSRI): lower end of the equal-tailed"
                                                            " interval")  # fmt: skip


def test_tables_hold_the_strongest_loadings_and_regions(idata, sig, done):
    folder = folder_of(done, "tables")
    loadings = read_table(folder / "top_loadings.tsv")
    assert loadings["factor"].drop_duplicates().tolist() == ["F1", "F2", "F3"]
    wanted = bm.top_loadings(sig, "F2")
    mine = loadings[loadings["factor"] == "F2"]
    assert mine["region_a"].tolist() == wanted["region_a"].tolist()
    np.testing.assert_allclose(mine["upper"], wanted["upper"], rtol=1e-7)
    assert set(mine["name"]) == {str(sig["name"].sel(factor="F2").values)}
    regions = read_table(folder / "top_regions.tsv")
    wanted = bm.top_regions(sig, "F3", draws=idata["loadings"]["loadings"])
    mine = regions[regions["factor"] == "F3"]
    np.testing.assert_allclose(mine["negative_lower"], wanted["negative_lower"], rtol=1e-7)
    dictionary = read_table(folder / "dictionary.tsv").set_index(["table", "column"])
    assert (dictionary["meaning"]["top_loadings", "lower"]
            == "loading: lower end of the equal-tailed interval")  # fmt: skip
    assert dictionary["meaning"]["top_regions", "positive_upper"].endswith("interval")


def test_tables_of_other_models_are_described_too():
    from bayes_mdd.results.exports.tables import describe_columns, plain_table

    columns = ("p_alike", "p_more_A b", "expressed_A b", "expressed_A b_upper", "p_MORE_A_b")
    table = pd.DataFrame({c: [0.5] for c in columns}).assign(reproducible=[True])
    plain = plain_table(table)
    assert plain.columns.tolist() == [
        *("p_alike", "p_more_A_b", "expressed_A_b", "expressed_A_b_upper", "p_MORE_A_b_2"),
        "reproducible",
    ]
    rows = describe_columns("factors", table, list(plain.columns))
    assert rows[3]["meaning"] == (
        "mean composition of the arm (A b): upper end of the equal-tailed interval"
    )
    assert rows[1]["name_in_python"] == "p_more_A b" and plain["reproducible"].tolist() == [1]


def test_scores_by_participant_only_when_asked(idata, done, tmp_path):
    ids = idata["posterior"]["subject"].values
    for files in done.files.values():
        for path in files:
            assert ids[0].encode() not in path.read_bytes(), path
    asked = bm.export_run(idata, tmp_path, formats=["tables"], with_participants=True)
    scores = read_table(folder_of(asked, "tables") / "scores.tsv")
    assert scores["participant_id"].nunique() == len(ids) and len(scores) == 3 * len(ids)
    every = idata["posterior"]["scores"].sel(factor="F2")
    arm = idata["constant_data"]["arm"].values
    origin = sum(every.isel(subject=arm == a).mean("subject") for a in set(arm)) / len(set(arm))
    drawn = (every - origin).sel(subject=ids[4]).values
    row = scores[(scores["participant_id"] == ids[4]) & (scores["factor"] == "F2")].iloc[0]
    assert row["mean"] == pytest.approx(drawn.mean(), rel=1e-6)
    assert row["lower"] == pytest.approx(np.quantile(drawn, 0.05), rel=1e-6)
    assert row["arm"] == str(idata["constant_data"]["arm"].sel(subject=ids[4]).values)


@pytest.mark.filterwarnings("ignore:.*infer_string")
def test_anndata_holds_loadings_and_scores_only_when_asked(idata, sig, done, tmp_path):
    anndata = pytest.importorskip("anndata")
    shared = anndata.read_h5ad(folder_of(done, "anndata") / "run.h5ad")
    assert shared.shape == (0, sig.sizes["feature"])
    assert list(shared.var_names) == sig["feature"].values.tolist()
    assert shared.var["block"].tolist() == sig["block"].values.tolist()
    np.testing.assert_allclose(shared.varm["LFs"], sig["mean"].transpose("feature", "factor"))
    np.testing.assert_allclose(shared.varm["LFs_p_positive"][:, 0], sig["p_positive"][0])
    assert shared.uns["factors"]["name"].tolist() == sig["name"].values.tolist()
    assert not shared.obsm
    asked = bm.export_run(idata, tmp_path, formats=["anndata", "tables"], with_participants=True)
    named = anndata.read_h5ad(folder_of(asked, "anndata") / "run.h5ad")
    scores = read_table(folder_of(asked, "tables") / "scores.tsv").set_index("participant_id")
    person = named.obs_names[3]
    assert named.obs.loc[person, "arm"] == scores.loc[person, "arm"].iloc[0]
    row = scores.loc[person].set_index("factor").loc[sig["factor"].values]
    np.testing.assert_allclose(named.obsm["X_mofa"][3], row["mean"], rtol=1e-6)
    np.testing.assert_allclose(named.obsm["X_mofa_upper"][3], row["upper"], rtol=1e-6)


def test_anndata_needs_its_extra(idata, tmp_path, monkeypatch):
    monkeypatch.setattr("bayes_mdd.results.exports.h5ad.find_spec", lambda _: None)
    with pytest.raises(bm.DataContractError, match=r"bayes-mdd\[anndata\]"):
        bm.export_run(idata, tmp_path, formats=["anndata"])


def test_neurovault_folder(idata, done):
    folder = folder_of(done, "neurovault")
    images = pd.read_csv(folder / "images.tsv", sep="\t")
    assert sorted(images["file"]) == sorted(p.name for p in folder.glob("*.nii.gz"))
    assert set(images["number_of_subjects"]) == {idata["posterior"].sizes["subject"]}
    assert set(images["file"].str.split("_").str[1]) == {
        *("stat-strength", "stat-positive", "stat-negative")
    }
    assert images["name"].is_unique and set(images["analysis_level"]) == {"group"}
    image = nib.load(folder / images["file"].iloc[0])
    assert int(image.header["sform_code"]) == 4 and image.ndim == 3
    assert json.loads((folder / "collection.json").read_text())["name"]


def test_neurovault_needs_mni_space(idata, atlas, tmp_path):
    image = nib.load(atlas)
    native = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    native.set_sform(AFFINE, code=1)
    nib.save(native, tmp_path / "native.nii.gz")
    with pytest.raises(bm.DataContractError, match="MNI space"):
        bm.export_run(
            idata, tmp_path / "x", formats=["neurovault"], atlas=tmp_path / "native.nii.gz"
        )


def test_all_says_what_it_leaves_out(done):
    assert set(done.left_out) == {"cifti", "gifti"}
    assert "--surface-atlas" in done.left_out["cifti"]


def test_regional_features_have_maps_and_no_matrices(atlas, tmp_path):
    regional = make_fake_idata(regional=True)
    done = bm.export_run(regional, tmp_path, atlas=atlas)
    assert {"nifti", "tables", "neurovault", "html"} <= set(done.files)
    assert "no edges" in done.left_out["graphml"]
    lower = nib.load(tmp_path / "nifti" / "factor-F1_stat-lower_statmap.nii.gz").get_fdata()
    wanted = float(bm.signatures(regional)["lower"].sel(factor="F1", feature="DMN_1"))
    assert lower[0, 0, 1] == pytest.approx(wanted, rel=1e-5)


def test_a_fit_without_draws_of_its_maps_says_what_is_missing(idata, atlas, tmp_path):
    bare = idata.copy()
    bare["loadings"] = bare["loadings"].to_dataset().drop_vars("loadings")
    bm.export_run(bare, tmp_path, formats=["nifti"], atlas=atlas)
    assert not list((tmp_path / "nifti").glob("*stat-lower*"))
    note = json.loads((tmp_path / "nifti" / "factor-F1_stat-mean_statmap.json").read_text())
    assert "no draws" in note["Limitation"]


def test_views_are_exported_one_at_a_time(idata, sig, atlas, tmp_path):
    from bayes_mdd.features.views import PREFIXED, VIEW_SEPARATOR

    loadings = idata["loadings"].to_dataset()
    view = np.where(np.arange(45) < 25, "fa", "fc")
    names = {
        n: ("feature", np.array([f"{v}{VIEW_SEPARATOR}{t}" for v, t in zip(view, x, strict=True)]))
        for n, x in ((n, loadings[n].values) for n in PREFIXED if n in loadings.coords)
    }
    views = idata.copy()
    views["loadings"] = loadings.assign_coords(view=("feature", view), **names)
    with pytest.raises(bm.DataContractError, match="--view NAME"):
        bm.export_run(views, tmp_path, formats=["graphml"])
    with pytest.raises(bm.DataContractError, match="no view 'dti'"):
        bm.export_run(views, tmp_path, formats=["graphml"], view="dti")
    bm.export_run(views, tmp_path, formats=["nifti"], view="fc", atlas=atlas)
    upper = nib.load(tmp_path / "nifti" / "factor-F1_stat-upper_statmap.nii.gz").get_fdata()
    own = (sig["region_a"] == "CCN_2").values | (sig["region_b"] == "CCN_2").values
    drawn = merge_chains(loadings).sel(factor="F1").values
    drawn = drawn[:, own & (view == "fc")].mean(axis=1)
    assert upper[5, 0, 1] == pytest.approx(np.quantile(drawn, 0.95), rel=1e-5)


def test_exports_are_searched_for_participants(idata, tmp_path):
    from bayes_mdd.results.privacy_check import check_privacy
    from bayes_mdd.results.result import read_result

    bm.export_run(idata, tmp_path / "export", formats=["tables"])
    assert check_privacy(tmp_path, read_result(idata))[1].passed
    bm.export_run(
        idata, tmp_path / "export", formats=["tables"], with_participants=True, overwrite=True
    )
    found, check = check_privacy(tmp_path, read_result(idata))
    assert not check.passed and set(found["file"]) == {"export/tables/scores.tsv"}
