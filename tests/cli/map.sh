# sower predict --all from outside: the three files, before and after round 0, what is left out and said, every bad input, and interruption.
. "$(dirname "$0")/lib.sh"

# profiles LINES: 30 perturbations of 6 genes; the last line has the first 12
profiles() {
    awk -v lines="$1" 'BEGIN {
        printf "gene,line,n_cells"; for (g = 1; g <= 6; g++) printf ",g%d", g; print ""
        for (c = 1; c <= lines; c++) for (i = 1; i <= 30; i++) {
            if (c == 3 && i > 12) continue
            printf "G%02d,%s,%d", i, substr("abc", c, 1), 40 + i
            for (g = 1; g <= 6; g++) printf ",%.4f", (1 + c / 3) * sin(i * 0.9 + g) + ((i * 31 + c * 17 + g * 7) % 11) / 10
            print ""
        }
    }'
}
profiles 3 > screen.csv
cat > c.yaml <<YAML
sower: 1
name: c
seed: 6
data:
  sources:
    - {file: screen.csv, role: target, context: {column: line}, contexts: [a], perturbation: gene, cells: n_cells, values: response}
    - {file: screen.csv, role: reference, context: {column: line}, contexts: [b, c], perturbation: gene, cells: n_cells, values: response}
readout: {kind: profile}
model: {kind: two-way}
acquisition: {strategy: random}
rounds: {initial: {size: 5, strategy: random}, batches: [5]}
oracle: {kind: replay, held_out: {count: 4}}
YAML
expect 1 "$SOWER" predict c.yaml --all
says "no campaign in"

# ---- before round 0: from the references, or without the target
expect 0 "$SOWER" plan c.yaml --quiet
expect 0 "$SOWER" predict c.yaml --all --to before.h5ad --json
equal "$(json out file)" before.h5ad "file in --json"
equal "$(cut -d, -f2 before.csv | sed 1d | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 18 1; 12 2;" "contexts observed"
expect 0 "$SOWER" plan c.yaml --quiet --out plain --set model.kind=train-mean
expect 0 "$SOWER" predict c.yaml --all --out plain --set model.kind=train-mean
says "context a is not in the map: model 'train-mean' learns nothing from other contexts, and nothing is measured in this one"

# ---- the campaign
expect 0 "$SOWER" run c.yaml --quiet
expect 0 "$SOWER" predict c.yaml --all
prints ./c.sower/map.h5ad ./c.sower/map.csv ./c.sower/map.html
equal "$(head -n 1 c.sower/map.csv)" perturbation,contexts_observed,magnitude,specificity,class,cluster,x,y "head of map.csv"
equal "$(grep -c . c.sower/map.csv)" 31 "lines of map.csv"
for threads in 1 3; do
    expect 0 "$SOWER" predict c.yaml --all --threads $threads --to t$threads.h5ad --quiet
done
for ending in h5ad csv html; do
    same t1.$ending t3.$ending
    same t1.$ending c.sower/map.$ending
done
nothing_half_written c.sower
"$source_dir/scripts/check-report" c.sower/map.html > out 2> err
case $? in
0) ;;
77) note_skip "no Chromium: the page was not opened" ;;
*) fail "the page in a browser" ;;
esac
if python3 -c 'import anndata, h5py' 2> /dev/null; then
    python3 - <<'PY' || fail "anndata reads something else"
import anndata, h5py, numpy
a = anndata.read_h5ad("c.sower/map.h5ad")
seen = a.obs["observed"].to_numpy()
assert a.shape == (90, 6) and set(a.layers) == {"predicted"} and a.obs["observed"].dtype == bool and seen.sum() == 52, a
assert numpy.isfinite(a.X).all() and (numpy.isfinite(a.layers["predicted"]).all(1) == seen).all()
assert list(a.obs["context"][::30]) == ["a", "b", "c"] and "layer predicted" in a.uns["sower"]["what"]
x = h5py.File("c.sower/map.h5ad")["X"]
assert x.chunks and x.shuffle and x.compression == "gzip" and x.compression_opts == 1
PY
else
    note_skip "no anndata: the file was not opened with it"
fi

# ---- who is not in it: measured in no other context and without a prior, though measured in the target by nobody
awk -F, 'NR == 1 || $2 == "a" || $1 < "G21"' screen.csv > s && mv s screen.csv
expect 0 "$SOWER" run c.yaml --quiet --out fewer
expect 0 "$SOWER" predict c.yaml --all --out fewer
says "of 30 perturbations are not in the map: they are measured in no context and have no prior"

# ---- one context
profiles 1 > screen.csv
sed '/contexts: \[b, c\]/d; s/context: {column: line}, contexts: \[a\]/context: a/' c.yaml > one.yaml
sed -i 's/kind: two-way/kind: train-mean/' one.yaml
expect 0 "$SOWER" run one.yaml --quiet --out one
expect 0 "$SOWER" predict one.yaml --all --out one
says "there is one context"
awk -F, 'NR > 1 && ($4 != "" || ($5 != "strong" && $5 != "weak" && $5 != "")) { exit 1 }' one/map.csv || fail "specificity of one context"
expect 0 "$SOWER" plan one.yaml --quiet --out nothing
expect 3 "$SOWER" predict one.yaml --all --out nothing
says "nothing is measured yet in any context"
lines_said 1

# ---- cells, before round 0 and after it
on_cells cells.yaml
expect 0 "$SOWER" plan cells.yaml --quiet
expect 0 "$SOWER" predict cells.yaml --all --quiet
expect 0 "$SOWER" run cells.yaml --quiet
expect 0 "$SOWER" predict cells.yaml --all --quiet
expect 0 "$SOWER" run cells.yaml --quiet --out again
equal "$(results_of cells.sower)" "$(results_of again)" "the campaign after a map of what was known before it"

# ---- refused
simulated
expect 0 "$SOWER" run sim.yaml --quiet
expect 2 "$SOWER" predict sim.yaml --all
says "--all: this campaign measures one number, of which there is no map"
lines_said 1
expect 2 "$SOWER" predict cells.yaml --all --cells 5 --quiet
says "--all and --cells: the whole map is of mean changes; leave out one of the two"
lines_said 1
expect 2 "$SOWER" predict cells.yaml --all --to map.csv --quiet
says "--to map.csv: predictions of many genes are written as .h5ad"

# ---- interrupted while it predicts: the files of before stay, and nothing lies beside them
cp cells.sower/map.h5ad kept
"$SOWER" predict cells.yaml --all --set model.kind=gp --quiet > out 2> err &
pid=$!
n=0
until ls cells.sower/map.h5ad.tmp-* > ls.out 2> ls.err || ! kill -0 $pid 2> ls.err; do
    n=$((n + 1))
    [ "$n" -lt 3000 ] || fail "the map does not start"
done
kill -s INT $pid 2> ls.err
wait $pid
case $? in
130) same kept cells.sower/map.h5ad ;;
0) note_skip "the map was made before the signal came" ;;
*) fail "an interrupted map" ;;
esac
nothing_half_written cells.sower
exit 0
