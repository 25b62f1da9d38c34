#!/usr/bin/env python3
"""Files of sower opened by anndata, and files of anndata for sower.

    anndata_roundtrip.py PROGRAM

PROGRAM write FILE               writes the AnnData file described in anndata_tool.c
PROGRAM read FILE                reads FILE and says what it found, one line a fact
PROGRAM write-cells FILE [gzip]  writes the cells described there
PROGRAM stream FILE [LAYER]      reads cells, one line a value
"""
import os
import subprocess
import sys
import tempfile
import warnings

try:
    warnings.simplefilter("ignore")
    import anndata
    import numpy as np
    import pandas as pd
    import scipy.sparse as sparse
except ImportError:
    print("SKIPPED-ALL: needs python3 with anndata")
    sys.exit(0)

try:
    pd.set_option("future.infer_string", False)  # anndata before 0.12 does not write the strings of pandas 3
except (KeyError, AttributeError):
    pass


def check(condition, what):
    if not condition:
        sys.exit("FAILED: " + what)


def theirs_of_ours(program, folder):
    path = os.path.join(folder, "ours.h5ad")
    subprocess.run([program, "write", path], check=True)
    a = anndata.read_h5ad(path)
    check(a.shape == (4, 3), "shape")
    check(list(a.obs_names) == ["r0", "r1", "r2", "r3"], "obs_names")
    check(list(a.var_names) == ["g\u00e9ne", "b", "c"], "var_names")
    check(list(a.obs.columns) == ["perturbation", "cells", "good"], "column order")
    check(a.obs["perturbation"].tolist()[:2] == ["STAT1", "JAK2"] and pd.isna(a.obs["perturbation"].iloc[3]), "categorical")
    check(a.obs["cells"].iloc[0] == 12.5 and np.isnan(a.obs["cells"].iloc[1]), "numbers")
    check(a.obs["good"].tolist() == [True, False, True, True], "booleans")
    x = np.asarray(a.X)
    check(x.dtype == np.float32 and np.array_equal(x, np.arange(12, dtype=np.float32).reshape(4, 3) / 4), "X")
    again = os.path.join(folder, "again.h5ad")
    a.write_h5ad(again)
    return again


def ours_of_theirs(program, folder):
    path = os.path.join(folder, "theirs.h5ad")
    obs = pd.DataFrame(
        {
            "text": ["a", "b", "a"],
            "category": pd.Categorical(["x", None, "y"]),
            "number": [1.5, np.nan, 3.0],
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
        },
        index=["c0", "c1", "c2"],
    )
    x = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float64)
    a = anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=["g0", "g1"]))
    a.uns["note"] = {"deep": [1, 2]}
    a.obsm["umap"] = np.zeros((3, 2))
    a.write_h5ad(path, compression="gzip")
    out = subprocess.run([program, "read", path], check=True, capture_output=True, text=True).stdout.split("\n")
    want = [
        "shape 3 2",
        "X 1 2 3 4 5 6",
        "obs c0 c1 c2",
        "var g0 g1",
        "text: a b a",
        "category: x - y",
        "number: 1.5 nan 3",
        "whole: 1 nan 3",
        "flag: 1 0 1",
        "maybe: 1 nan 0",
        "",
    ]
    check(out == want, "read back:\n" + "\n".join(out))


def theirs_of_our_cells(program, folder):
    want = np.array([[1, 0, 2], [0, 0, 0], [0, 3.5, 0], [0, 0, 0], [0, 3.5, 0]], dtype=np.float32)
    for more in ([], ["gzip"]):
        path = os.path.join(folder, "cells.h5ad")
        subprocess.run([program, "write-cells", path] + more, check=True)
        a = anndata.read_h5ad(path)
        check(sparse.isspmatrix_csr(a.X) and a.X.dtype == np.float32 and np.array_equal(a.X.toarray(), want), "cells")
        check(list(a.obs_names) == ["c0", "c1", "c2", "c3", "c4"] and list(a.var_names) == ["A", "B", "C"], "names of cells and genes")
        check(a.obs["gene"].tolist()[0] == "STAT1" and pd.isna(a.obs["gene"].iloc[1]) and a.obs["gene"].dtype == "category", "labels of cells")
        check(a.obs["depth"].tolist()[:4] == [3, 0, 3.5, 3.5] and np.isnan(a.obs["depth"].iloc[4]), "numbers of cells")
        check(a.obs["good"].tolist() == [True, False, True, True, False], "booleans of cells")
        check(a.var["variable"].tolist() == [True, False, True] and pd.isna(a.var["symbol"].iloc[1]), "columns of genes")
        again = os.path.join(folder, "cells_again.h5ad")
        a.write_h5ad(again)
        check(stream(program, again) == stream(program, path), "cells that anndata wrote again")


def stream(program, path, layer=None):
    out = subprocess.run([program, "stream", path] + ([layer] if layer else []), check=True, capture_output=True, text=True).stdout
    return out.split("\n")[1:-1]


def our_cells_of_theirs(program, folder):
    rng = np.random.default_rng(1)
    x = rng.poisson(0.5, (300, 40)).astype(np.float32)
    lines = ["%d g%d %d" % (i, j, x[i, j]) for i, j in zip(*np.nonzero(x))]
    half = ["%d g%d %.9g" % (i, j, x[i, j] / 2) for i, j in zip(*np.nonzero(x))]
    obs = pd.DataFrame(index=pd.Index(["c%d" % i for i in range(300)], dtype=object))
    var = pd.DataFrame(index=pd.Index(["g%d" % j for j in range(40)], dtype=object))
    for made in (lambda m: m, sparse.csr_matrix, sparse.csc_matrix):
        for options in ({}, {"compression": "gzip"}):
            path = os.path.join(folder, "theirs_cells.h5ad")
            a = anndata.AnnData(made(x), obs=obs, var=var)
            a.raw = a
            a.layers["half"] = made(x / 2)
            a.write_h5ad(path, **options)
            check(stream(program, path) == lines, "X as %s" % type(made(x)))
            check(stream(program, path, "raw") == lines, "raw as %s" % type(made(x)))
            check(stream(program, path, "half") == half, "layer as %s" % type(made(x)))


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        again = theirs_of_ours(program, folder)
        out = subprocess.run([program, "read", again], check=True, capture_output=True, text=True).stdout
        check("perturbation: STAT1 JAK2 STAT1 -" in out, "what anndata wrote of our file:\n" + out)
        ours_of_theirs(program, folder)
        theirs_of_our_cells(program, folder)
        our_cells_of_theirs(program, folder)
    print("anndata and sower read each other's files")


main()
