#!/usr/bin/env python3
"""Files of sower opened by anndata, and files of anndata for sower.

    anndata_roundtrip.py PROGRAM

PROGRAM write FILE    writes the AnnData file described in anndata_tool.c
PROGRAM read FILE     reads FILE and says what it found, one line a fact
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
except ImportError:
    print("SKIPPED-ALL: needs python3 with anndata")
    sys.exit(0)


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


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        again = theirs_of_ours(program, folder)
        out = subprocess.run([program, "read", again], check=True, capture_output=True, text=True).stdout
        check("perturbation: STAT1 JAK2 STAT1 -" in out, "what anndata wrote of our file:\n" + out)
        ours_of_theirs(program, folder)
    print("anndata and sower read each other's files")


main()
