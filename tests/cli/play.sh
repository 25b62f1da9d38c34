# A campaign plays all rounds, and what it leaves behind is what is promised.
. "$(dirname "$0")/lib.sh"

check_batches() { # check_batches FOLDER ROUNDS SIZES...: distinct picks, none twice, sizes, ranks, columns
    folder=$1
    rounds=$2
    shift 2
    r=0
    : > all_picks
    while [ "$r" -lt "$rounds" ]; do
        batch=$(printf '%s/rounds/%02d/batch.csv' "$folder" "$r")
        equal "$(head -n 1 "$batch")" "rank,perturbation,context,score,strategy,reason,planned_cells,cost" "columns of $batch"
        equal "$(sed 1d "$batch" | wc -l)" "$1" "number of picks in $batch"
        sed 1d "$batch" | awk -F, '$1 != NR || $2 == "" || $3 == "" || $5 == "" || $6 == "" { exit 1 }' || fail "$batch: rank or a field is wrong"
        picks "$batch" >> all_picks
        shift
        r=$((r + 1))
    done
    equal "$(sort all_picks | uniq -d | wc -l)" 0 "perturbations picked twice"
    equal "$(ls "$folder/rounds" | wc -l)" "$rounds" "number of round folders"
}

check_files() { # every round has its files, and the JSON ones are JSON
    for d in "$1"/rounds/*; do
        for f in batch.csv order.csv plan.json metrics.json; do
            [ -s "$d/$f" ] || fail "$d/$f is missing"
        done
        json "$d/plan.json" strategy > /dev/null
        json "$d/metrics.json" 0.metric > /dev/null
    done
    [ -s "$1/report.html" ] || fail "no report"
    nothing_half_written "$1"
}

check_metrics() { # the columns, and that every metric is a known one
    equal "$(head -n 1 "$1/metrics.csv")" "round,measured,model,context,metric,value,low,high" "columns of metrics.csv"
    known=" mmd_de mmd_all rmse_de rmse_all pearson_delta_de pearson_delta_all pearson_delta_centred direction_de r2_de r2_all pearson_top20_wilcoxon pearson_top20_abs recall_top20 mse_top20 mae_top20 precision_at_25 precision_at_35 spearman rmse nll coverage90 hits_found hits_recall pool_size chance cost weeks "
    for m in $(sed 1d "$1/metrics.csv" | cut -d, -f5 | sort -u); do
        case $known in *" $m "*) ;; *) fail "metrics.csv has a metric '$m' that design.md does not name" ;; esac
    done
    awk -F, 'NF != 8 { exit 1 }' "$1/metrics.csv" || fail "a row of metrics.csv does not have 8 fields"
}

# the sum of the report's bill rows = its total = the last cost in metrics.csv = the sum status tells
check_bill() { # check_bill FOLDER LAST_ROUND YAML
    sed -n 's/.*"bill":\({.*\),"constraints".*/\1/p' "$1/report.html" | head -n 1 > bill.json
    expect 0 "$SOWER" status "$3" --json
    cp out status.json
    told=0 i=0
    while [ "$i" -lt "$(json status.json 'rounds_done.#')" ]; do
        told=$(echo "$told $(json status.json rounds_done.$i.cost)" | awk '{ printf "%.2f", $1 + $2 }')
        i=$((i + 1))
    done
    measured_cost=$(metric "$1" "$2" cost)
    echo "$told $measured_cost" | awk '{ d = $1 - $2; if (d < 0) d = -d; exit !(d <= 0.000006 * $1) }' || fail "status sums to $told, metrics.csv says $measured_cost"
    if [ -s bill.json ]; then
        rows=0 i=0
        while [ "$i" -lt "$(json bill.json 'rows.#')" ]; do
            rows=$(echo "$rows $(json bill.json rows.$i.cost)" | awk '{ printf "%.2f", $1 + $2 }')
            i=$((i + 1))
        done
        equal "$rows" "$(json bill.json total | awk '{ printf "%.2f", $1 }')" "sum of the bill's rows in the report"
        equal "$rows" "$told" "sum of the bill's rows beside that of status"
    else
        fail "report.html has no bill"
    fi
}

# ---- simulator
simulated
expect 0 "$SOWER" run sim.yaml --threads 1
prints "sim.sower/report.html"
check_batches sim.sower 3 12 8 8
check_files sim.sower
check_metrics sim.sower
check_bill sim.sower 2 sim.yaml
for r in 0 1 2; do
    equal "$(metric sim.sower $r pool_size)" 72 "pool_size of round $r"
    recall=$(metric sim.sower $r hits_recall) found=$(metric sim.sower $r hits_found) chance=$(metric sim.sower $r chance)
    echo "$recall $found" | awk '{ d = $1 - $2 / 7; exit !(d < 1e-5 && d > -1e-5) }' || fail "round $r: hits_recall $recall is not hits_found $found of 7"
    echo "$chance $r" | awk '{ d = $1 - (12 + 8 * $2) / 72; exit !(d < 1e-5 && d > -1e-5) }' || fail "round $r: chance is $chance"
done
# one round costs 2000 + 8 * 2 guides * 15 + (8 * 100 cells / .92, rounded up: 870) * .086 + 870 * 20000 reads * .374 / million
total=$(awk 'BEGIN {
    for (r = 0; r < 3; r++) {
        n = r ? 8 : 12; cells = n * 100 / 0.92; if (cells > int(cells)) cells = int(cells) + 1
        printf "%.2f\n", 2000; printf "%.2f\n", n * 2 * 15; printf "%.2f\n", cells * 0.086; printf "%.2f\n", cells * 0.02 * 0.374
    }}' | awk '{ s += $1 } END { printf "%.2f", s }')
echo "$total $(metric sim.sower 2 cost)" | awk '{ d = $1 - $2; if (d < 0) d = -d; exit !(d <= 0.000006 * $1) }' || fail "cost is $(metric sim.sower 2 cost), by hand $total"
equal "$(metric sim.sower 2 weeks)" 12 "weeks"
# the campaign's model and the baselines beside it, on what was held out
for m in gp train-mean linear knn; do
    grep -q "^2,28,$m,[^,]*,spearman," sim.sower/metrics.csv || fail "no held-out Spearman of $m in round 2"
done
grep -q "^2,28,gp,[^,]*,coverage90," sim.sower/metrics.csv || fail "no interval coverage of the gp"

# a second run has nothing to do, and changes nothing
before=$(results_of sim.sower)
expect 3 "$SOWER" run sim.yaml
says "every round of this campaign is done"
expect 3 "$SOWER" plan sim.yaml
equal "$(results_of sim.sower)" "$before" "results after a second run"

# files that somebody deleted are written again from the events
rm sim.sower/metrics.csv sim.sower/rounds/01/batch.csv
expect 3 "$SOWER" run sim.yaml
equal "$(results_of sim.sower)" "$before" "results after deleting two files"

# step by step is the same as in one go
expect 0 "$SOWER" plan sim.yaml --out steps
[ -s steps/rounds/00/batch.csv ] || fail "plan left no batch.csv"
[ -e steps/metrics.csv ] && fail "plan alone wrote metrics"
expect 3 "$SOWER" plan sim.yaml --out steps
expect 0 "$SOWER" run sim.yaml --out steps
equal "$(results_of steps)" "$before" "results of plan and then run"

# ---- a finished screen
replayed
expect 0 "$SOWER" run rep.yaml
check_batches rep.sower 3 24 10 10
check_files rep.sower
check_metrics rep.sower
check_bill rep.sower 2 rep.yaml
equal "$(metric rep.sower 0 pool_size)" 96 "pool_size"
found=$(metric rep.sower 2 hits_recall)
echo "$found" | awk '{ exit !($1 > 0.6) }' || fail "greedy finds $found of the hits of a smooth response"
# recall by hand: the ten best of the pool, by the file
"$SOWER" report rep.yaml > /dev/null || fail "report"
sed -n 's/.*"held_out":{"count":[0-9]*,"names":"\([^"]*\)".*/\1/p' rep.sower/report.html | head -n 1 | tr -d ' ' | tr ',' '\n' > held
equal "$(wc -l < held)" 24 "held-out perturbations named in the report"
sort held all_picks | uniq -d > both
[ -s both ] && fail "held-out perturbations were picked: $(cat both)"
sed 1d screen.csv | grep -v -F -f held | sort -t, -k2,2gr | head -n 10 | cut -d, -f1 | sort > best
sort all_picks | comm -12 - best > got
awk -v a="$(wc -l < got)" -v b="$found" 'BEGIN { d = a / 10 - b; exit !(d < 1e-5 && d > -1e-5) }' || fail "hits_recall $found, by hand $(wc -l < got) of 10"

# ---- the other models, strategies and readouts play too
for m in train-mean linear knn; do
    expect 0 "$SOWER" run rep.yaml --out "by-$m" --set "model.kind=$m" --set acquisition.strategy=random
    check_batches "by-$m" 3 24 10 10
done
for s in random kmeans core-set max-variance greedy ucb ei thompson probability-of-hit lookahead; do
    expect 0 "$SOWER" run rep.yaml --out "by-$s" --set "acquisition.strategy=$s" --set 'rounds.batches=[7]'
    check_batches "by-$s" 2 24 7
    equal "$(sed 1d "by-$s/rounds/01/batch.csv" | cut -d, -f5 | sort -u)" "$s" "strategy in batch.csv"
done
for s in kmeans core-set; do
    expect 0 "$SOWER" run rep.yaml --out "first-$s" --set "rounds.initial.strategy=$s" --set 'rounds.batches=[]'
    check_batches "first-$s" 1 24
done
expect 0 "$SOWER" run rep.yaml --out column --set 'objective={kind: hits, column: fdr, below: 0.1}'
truth=$(sed 1d screen.csv | grep -v -F -f held | awk -F, '$4 < 0.1' | wc -l)
cut -d, -f1,4 screen.csv | sort > fdr
cat column/rounds/*/batch.csv | cut -d, -f2 | sort | join -t, - fdr | awk -F, '$2 < 0.1' | wc -l > got
awk -v a="$(cat got)" -v n="$truth" -v b="$(metric column 2 hits_recall)" 'BEGIN { d = a / n - b; exit !(d < 1e-5 && d > -1e-5) }' ||
    fail "hits by a column: recall $(metric column 2 hits_recall), by hand $(cat got) of $truth"
expect 0 "$SOWER" run rep.yaml --out low --set objective.direction=low
sed 1d screen.csv | grep -v -F -f held | sort -t, -k2,2g | head -n 10 | cut -d, -f1 | sort > best
cat low/rounds/*/batch.csv | cut -d, -f2 | sort | comm -12 - best | wc -l > got
awk -v a="$(cat got)" -v b="$(metric low 2 hits_recall)" 'BEGIN { d = a / 10 - b; exit !(d < 1e-5 && d > -1e-5 && b > 0.4) }' ||
    fail "direction low: recall $(metric low 2 hits_recall), by hand $(cat got) of 10"
exit 0
