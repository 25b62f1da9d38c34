# Campaigns on single cells from outside: the same bytes with any number of threads and from any cache, kills, a damaged cache, and every bad input.
. "$(dirname "$0")/lib.sh"
on_cells c.yaml

expect 0 "$SOWER" check c.yaml --json
equal "$(json out readout)" cells "readout of check"
equal "$(json out pool_size)" 9 "pool"
for threads in 1 2 3; do
    expect 0 "$SOWER" run c.yaml --out "r$threads" --threads "$threads"
done
for f in metrics.csv rounds/00/batch.csv rounds/01/batch.csv rounds/01/metrics.json; do
    same "r1/$f" "r2/$f"
    same "r1/$f" "r3/$f"
done
for n in 1 2; do
    awk '/<!-- varies -->/ { skip = 1 } !skip { print } /<!-- \/varies -->/ { skip = 0 }' "r$n/report.html" > "report-$n"
done
same report-1 report-2
expect 0 "$SOWER" run c.yaml --out other --cache elsewhere --memory 8M
[ -n "$(ls elsewhere)" ] || fail "--cache was not used"
same r1/metrics.csv other/metrics.csv
grep -q '^1,.*,gp,here,mmd_de,' r1/metrics.csv || fail "no distances between distributions"
grep -q 'knockdown' r1/report.html || fail "the report does not speak of knockdown"

# a damaged cache is noticed and made again
for f in elsewhere/*.cells; do
    printf 'x' | dd of="$f" bs=1 seek=2000 conv=notrunc 2> dd
done
expect 0 "$SOWER" run c.yaml --out mended --cache elsewhere
same r1/metrics.csv mended/metrics.csv
for f in elsewhere/*.cells; do
    size=$(wc -c < "$f")
    head -c $((size / 2)) "$f" > half && cat half > "$f"
done
expect 0 "$SOWER" run c.yaml --out torn --cache elsewhere
same r1/metrics.csv torn/metrics.csv

# two at once with an empty cache
"$SOWER" run c.yaml --out a --cache shared --quiet > /dev/null 2> err-a &
first=$!
"$SOWER" run c.yaml --out b --cache shared --quiet > /dev/null 2> err-b || fail "the second of two at once"
wait "$first" || fail "the first of two at once"
same r1/metrics.csv a/metrics.csv
same r1/metrics.csv b/metrics.csv

# kill -9 here and there, the cache included
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
wanted=$(results_of r1)
rm -rf kcache
"$TOOLS/kill_at" 0 "$SOWER" run c.yaml --out counted --cache kcache --threads 1 --quiet > out 2> err
if [ $? = 77 ]; then
    note_skip "processes cannot be traced here"
else
    total=$(tail -n 1 out)
    n=1
    while [ "$n" -le "$total" ]; do
        rm -rf k kcache
        "$TOOLS/kill_at" "$n" "$SOWER" run c.yaml --out k --cache kcache --threads 1 --quiet > out 2> err
        if [ $? = 137 ]; then
            "$SOWER" run c.yaml --out k --cache kcache --threads 1 --quiet > out 2> err
            code=$?
            [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code of the run after a kill at point $n"
        fi
        equal "$(results_of k)" "$wanted" "results after a kill at point $n of $total"
        nothing_half_written k
        n=$((n + total / 15 + 1))
    done
fi

# what a person gets wrong: one line each, exit 2, no campaign
sleep 3 # a file that has just changed is read again, and said to be, each time
expect 0 "$SOWER" run c.yaml
rm -rf ./*.sower
wrong() { # wrong SED-SCRIPT TEXT...
    sed "$1" c.yaml > wrong.yaml
    shift
    refused "$@" -- "$SOWER" run wrong.yaml
}
wrong 's/control: nt/control: NT/' "NT" "nt"
wrong 's/column: gene,/column: genes,/' "genes" "gene"
wrong 's/contexts: \[here\]/contexts: [nowhere]/' "nowhere"
wrong 's/technical_batch: lane/technical_batch: lanes/' "lanes" "lane"
wrong 's/labels: screen\/labels.csv, //' "labels"
wrong 's/min_cells_per_perturbation: 8/min_cells_per_perturbation: 500/' "no perturbation has 500 cells" "features.min_cells_per_perturbation"
wrong 's/features: {/features: {flavour: seurat_v4, /' "seurat_v3"
wrong 's/readout: {kind: cells}/readout: {kind: cells, column: gene}/' "readout.column"
wrong 's/batches: \[3\]/batches: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]/' "rounds"
cp screen/matrix.mtx whole.mtx
sed '5s/ [0-9]*$/ -3/' whole.mtx > screen/matrix.mtx
refused "matrix.mtx" "count" -- "$SOWER" run c.yaml
sed '5s/ [0-9]*$/ 2.5/; 1s/integer/real/' whole.mtx > screen/matrix.mtx
refused "matrix.mtx" "count" -- "$SOWER" run c.yaml
sed '5s/ [0-9]*$/ nan/; 1s/integer/real/' whole.mtx > screen/matrix.mtx
refused "matrix.mtx" -- "$SOWER" run c.yaml
sed '5s/^[0-9]*/31/' whole.mtx > screen/matrix.mtx
refused "matrix.mtx" "31" -- "$SOWER" run c.yaml
sed '2s/.*/1000000000 1000000000 1000000000/' whole.mtx > screen/matrix.mtx
refused "matrix.mtx" -- "$SOWER" run c.yaml
head -n 40 whole.mtx > screen/matrix.mtx
refused "matrix.mtx" -- "$SOWER" run c.yaml
cp whole.mtx screen/matrix.mtx
expect 0 "$SOWER" run c.yaml
exit 0
