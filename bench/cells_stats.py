"""The same work as bench_cells_stats by numpy, scipy and scikit-learn, on data of the same kind; prints seconds (and for kmeans the inertia).

usage: cells_stats.py rankdata|searchsorted|gram, or cells_stats.py kmeans FILE (20,000 x 128 doubles that bench_cells_stats wrote)
  rankdata      scipy.stats.rankdata of each group with the controls, as scanpy ranks: 20 of the 5,000 genes, times 250
  searchsorted  the controls sorted once, groups looked up in them, no tie correction, in numpy: 250 of the 5,000 genes, times 20
  gram          204 pairs: float32 Gram matrix, one exp and nine squarings, in numpy
  kmeans        scikit-learn, 100 clusters, 10 starts
"""
import sys
import time

import numpy as np

GROUPS, EACH, CONTROLS, GENES, PAIRS = 200, 64, 2000, 5000, 204
rng = np.random.default_rng(1)


def cells(rows, genes):
    """85 % zeros, log1p of small counts."""
    x = np.log1p(rng.geometric(0.6, (rows, genes)) * rng.uniform(0.5, 1.5, (rows, 1))).astype(np.float32)
    x[rng.random((rows, genes)) < 0.85] = 0
    return x


def rankdata():
    from scipy.stats import rankdata

    genes = 20
    x, control = cells(GROUPS * EACH, genes), cells(CONTROLS, genes)
    start = time.perf_counter()
    for g in range(GROUPS):
        rankdata(np.vstack([x[g * EACH:(g + 1) * EACH], control]), axis=0)[:EACH].sum(axis=0)
    return (time.perf_counter() - start) * GENES / genes


def searchsorted():
    genes = 250
    x, control = cells(GROUPS * EACH, genes), cells(CONTROLS, genes)
    start = time.perf_counter()
    ordered = np.sort(control, axis=0)
    for j in range(genes):
        column, values = np.ascontiguousarray(ordered[:, j]), x[:, j]
        u = 0.5 * (np.searchsorted(column, values, "left") + np.searchsorted(column, values, "right"))
        u.reshape(GROUPS, EACH).sum(axis=1)
    return (time.perf_counter() - start) * GENES / genes


def gram():
    x, y = cells(PAIRS * EACH, GENES).reshape(PAIRS, EACH, GENES), cells(PAIRS * EACH, GENES).reshape(PAIRS, EACH, GENES)
    start = time.perf_counter()
    for i in range(PAIRS):
        z = np.concatenate([x[i], y[i]])
        product = z @ z.T
        norm = np.diag(product)
        e = np.exp(-(norm[:, None] + norm - 2 * product) / np.float32(1500 * 2**4))
        total = e.copy()
        for _ in range(9):
            e *= e
            total += e
        total[:EACH, :EACH].mean() + total[EACH:, EACH:].mean() - 2 * total[:EACH, EACH:].mean()
    return time.perf_counter() - start


def kmeans(path):
    from sklearn.cluster import KMeans

    x = np.fromfile(path).reshape(20000, 128)
    start = time.perf_counter()
    inertia = KMeans(100, n_init=10, random_state=1).fit(x).inertia_
    return f"{time.perf_counter() - start:.3f} {inertia:.0f}"


work = {"rankdata": rankdata, "searchsorted": searchsorted, "gram": gram, "kmeans": kmeans}[sys.argv[1]]
result = work(*sys.argv[2:])
print(result if isinstance(result, str) else f"{result:.3f}")
