# sower predict from outside: the file for each readout, the same bytes, what is refused.
. "$(dirname "$0")/lib.sh"
simulated
expect 1 "$SOWER" predict sim.yaml
says "no campaign in" "sower run"
expect 0 "$SOWER" plan sim.yaml --quiet
expect 3 "$SOWER" predict sim.yaml
says "nothing is measured yet"
expect 0 "$SOWER" run sim.yaml --quiet
expect 0 "$SOWER" predict sim.yaml
prints ./sim.sower/predictions.csv
equal "$(head -n 1 sim.sower/predictions.csv)" perturbation,context,status,predicted,sd,sd_of_a_measurement,measured "head"
equal "$(grep -c . sim.sower/predictions.csv)" 91 "lines"
equal "$(cut -d, -f3 sim.sower/predictions.csv | sed 1d | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 44 candidate; 18 held out; 28 measured;" "statuses"
awk -F, 'NR > 1 && ($3 == "measured") != ($7 != "") { exit 1 }' sim.sower/predictions.csv || fail "values where nothing is measured, or none where something is"
awk -F, 'NR > 1 && !($5 > 0 && $6 > $5) { exit 1 }' sim.sower/predictions.csv || fail "standard deviations"
expect 0 "$SOWER" predict sim.yaml --threads 1 --to again.csv --json
equal "$(json out file)" again.csv "file in --json"
same sim.sower/predictions.csv again.csv
expect 2 "$SOWER" predict sim.yaml --cells 5
says "this campaign measures one number, not cells"
expect 2 "$SOWER" predict sim.yaml --to again.h5ad
says "predictions of one number are written as .csv"
expect 2 "$SOWER" predict sim.yaml --cells none
says "--cells takes a number of at least 1, not 'none'"

on_cells c.yaml
expect 0 "$SOWER" run c.yaml --quiet
expect 0 "$SOWER" predict c.yaml --threads 2
prints ./cells.sower/predictions.h5ad
expect 0 "$SOWER" inspect cells.sower/predictions.h5ad --json
equal "$(json out rows)" 12 "predicted perturbations"
expect 0 "$SOWER" predict c.yaml --cells 6 --threads 1
expect 0 "$SOWER" predict c.yaml --cells 6 --threads 3 --to cells.h5ad
same cells.sower/predictions-cells.h5ad cells.h5ad
expect 0 "$SOWER" run c.yaml --quiet --out again
results_of cells.sower > before
expect 0 "$SOWER" predict c.yaml --quiet
equal "$(results_of cells.sower)" "$(cat before)" "the campaign after a prediction"
nothing_half_written cells.sower
if python3 -c 'import anndata' 2> /dev/null; then
    python3 - <<'PY' || fail "anndata reads something else"
import anndata, numpy
a = anndata.read_h5ad("cells.sower/predictions.h5ad")
assert a.shape[0] == 12 and set(a.layers) == {"measured", "sd"} and a.uns["sower"]["campaign"] == "cells", a
known = numpy.isfinite(a.layers["measured"]).all(1)
assert (known == (a.obs["status"] == "measured")).all()
assert anndata.read_h5ad("cells.h5ad").shape[0] == 72
PY
else
    note_skip "no anndata: the file was not opened with it"
fi
