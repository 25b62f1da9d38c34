# The same seed gives the same bytes, with 1, 2 and 3 threads, wherever the campaign lies; another seed gives others.
. "$(dirname "$0")/lib.sh"
for kind in simulated replayed; do
    $kind c.yaml
    expect 0 "$SOWER" run c.yaml --out "$kind-1" --threads 1
    expect 0 "$SOWER" run c.yaml --out "$kind-2" --threads 2
    expect 0 "$SOWER" run c.yaml --out "$kind-3" --threads 3
    mkdir -p elsewhere
    cp ./*.csv ./*.gmt c.yaml elsewhere/ 2> /dev/null
    (cd / && "$SOWER" run "$scratch/elsewhere/c.yaml" --out "$scratch/$kind-4" > /dev/null 2>&1) || fail "run from another folder"
    for n in 2 3 4; do
        for f in metrics.csv rounds/00/batch.csv rounds/01/batch.csv rounds/02/batch.csv rounds/00/order.csv rounds/02/metrics.json; do
            same "$kind-1/$f" "$kind-$n/$f"
        done
    done
    expect 0 "$SOWER" run c.yaml --out "$kind-seed" --seed 77
    differ "$kind-1/rounds/00/batch.csv" "$kind-seed/rounds/00/batch.csv"
    differ "$kind-1/metrics.csv" "$kind-seed/metrics.csv"
    # the report, but for the part that says when and where
    for n in 1 2; do
        awk '/<!-- varies -->/ { skip = 1 } !skip { print } /<!-- \/varies -->/ { skip = 0 }' "$kind-$n/report.html" > "report-$n"
    done
    grep -q '<!-- varies -->' "$kind-1/report.html" || fail "the report does not mark what varies"
    same report-1 report-2
    rm -rf elsewhere
done

# every round of random draws from a stream of its own: the same position is not picked in each
replayed c.yaml
expect 0 "$SOWER" run c.yaml --out r --set acquisition.strategy=random --set 'rounds.initial.size=10' --set 'rounds.batches=[10, 10]'
expect 0 "$SOWER" run c.yaml --out s --set acquisition.strategy=random --set 'rounds.initial.size=10' --set 'rounds.batches=[10, 10]' --seed 6
for round in 00 01 02; do
    sed -n 2p r/rounds/$round/batch.csv | cut -d, -f4 >> draws # the highest draw of the round
    differ "r/rounds/$round/batch.csv" "s/rounds/$round/batch.csv"
done
equal "$(sort -u draws | wc -l)" 3 "different draws in three rounds"
# the first round does not depend on how many come after it
expect 0 "$SOWER" run c.yaml --out t --set acquisition.strategy=random --set 'rounds.initial.size=10' --set 'rounds.batches=[10]'
same r/rounds/01/batch.csv t/rounds/01/batch.csv
exit 0
