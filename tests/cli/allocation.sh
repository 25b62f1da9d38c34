# Cells inside a batch by expected gain: the files add up to the same bill, whatever the threads and kills; a lab's results are judged by what was planned for each; what cannot work is refused.
. "$(dirname "$0")/lib.sh"

planned() { # planned FOLDER ROUND: name and planned cells, in rank order (reasons hold commas, and come before)
    sed 1d "$1/rounds/$2/batch.csv" | awk -F, '{ print $2, $(NF - 1) }'
}
total() {
    planned "$1" "$2" | awk '{ s += $2 } END { print s }'
}
spread() { # different numbers of cells in a round
    planned "$1" "$2" | awk '{ print $2 }' | sort -u | wc -l
}

simulated
by_gain="--set design.allocation=expected-gain --set design.cells_per_perturbation=40"
expect 0 "$SOWER" run sim.yaml --out uniform --set design.cells_per_perturbation=40
expect 0 "$SOWER" run sim.yaml --out gain-1 $by_gain --threads 1
expect 0 "$SOWER" run sim.yaml --out gain-2 $by_gain --threads 2
equal "$(results_of gain-1)" "$(results_of gain-2)" "results with two threads"
same uniform/rounds/00/batch.csv gain-1/rounds/00/batch.csv
for round in 00 01 02; do
    equal "$(total gain-1 $round)" "$(total uniform $round)" "planned cells of round $round"
    # the order sheet has them all, and as many controls
    equal "$(sed 1d gain-1/rounds/$round/order.csv | awk -F, '{ s += $7 } END { print s }')" "$(sed 1d uniform/rounds/$round/order.csv | awk -F, '{ s += $7 } END { print s }')" "ordered cells of round $round"
done
equal "$(spread gain-1 00)" 1 "numbers of cells in round 0, where nothing is known"
[ "$(spread gain-1 02)" -gt 2 ] || fail "round 2 has the same cells for everybody"
planned gain-1 02 | awk '$2 < 10 || $2 > 160 { exit 1 }' || fail "cells beyond a quarter or four times"
equal "$(metric gain-1 2 cost)" "$(metric uniform 2 cost)" "cost"
for round in 01 02; do # each guide of the sheet has its part
    planned gain-1 $round | while read -r name cells; do
        equal "$(awk -F, -v n="$name" '$2 == n { s += $7 } END { print s }' gain-1/rounds/$round/order.csv)" "$cells" "ordered cells of $name"
    done || exit 1
done
equal "$(json gain-1/rounds/02/plan.json allocation.by)" expected-gain "plan.json"
equal "$(json gain-1/rounds/02/plan.json allocation.cells)" 320 "cells in plan.json"
grep -q 'sd \(above\|below\) the hit threshold' gain-1/rounds/02/batch.csv || fail "no reason for the cells"
# a narrower range
expect 0 "$SOWER" run sim.yaml --out narrow $by_gain --set design.allocation_range=1.1
planned narrow 02 | awk '$2 < 37 || $2 > 44 { exit 1 }' || fail "cells beyond the range"
expect 0 "$SOWER" run sim.yaml --out none $by_gain --set design.allocation_range=1
equal "$(spread none 02)" 1 "numbers of cells with no range"

# kill -9 at points spread over the whole life
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # LeakSanitizer does not work on a traced process
"$TOOLS/kill_at" 0 "$SOWER" run sim.yaml --out counted $by_gain --threads 1 --quiet > out 2> err
if [ $? = 77 ]; then
    note_skip "processes cannot be traced here"
else
    points=$(tail -n 1 out) n=30 killed=0
    while [ "$n" -le "$points" ]; do
        "$TOOLS/kill_at" "$n" "$SOWER" run sim.yaml --out k $by_gain --threads 1 --quiet > out 2> err
        [ $? = 137 ] && killed=$((killed + 1))
        "$SOWER" run sim.yaml --out k $by_gain --threads 1 --quiet > out 2> err
        code=$?
        [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code of the run after a kill at point $n"
        equal "$(results_of k)" "$(results_of gain-1)" "results after a kill at point $n of $points"
        rm -rf k
        n=$((n + points / 8))
    done
    [ "$killed" -ge 6 ] || fail "only $killed kills took place"
fi

# single cells of a finished screen: as many as it has
on_cells
expect 0 "$SOWER" run cells.yaml --set design.allocation=expected-gain --set design.cells_per_perturbation=12 --set evaluation.measured=true
equal "$(total cells.sower 01)" 36 "planned cells"
planned cells.sower 01 | awk '$2 < 8 { exit 1 }' || fail "fewer cells than features.min_cells_per_perturbation"
grep -q '^1,[0-9]*,,all,rmse_measured,' cells.sower/metrics.csv || fail "no error of what was measured"
rm -rf cells.sower

# a lab: what came is held beside what was planned for each
at_lab
gain_lab="--set design.allocation=expected-gain --set design.cells_per_perturbation=100"
expect 0 "$SOWER" plan lab.yaml $gain_lab
measured_rows lab.sower/rounds/00/batch.csv > results.csv
expect 0 "$SOWER" record lab.yaml results.csv $gain_lab
"$SOWER" status lab.yaml --json $gain_lab > status.json || fail "status"
round_0_partial=$(json status.json status.partial)
expect 0 "$SOWER" plan lab.yaml $gain_lab
[ "$(spread lab.sower 01)" -gt 1 ] || fail "as many cells for everybody"
{ # one cell short of its own plan, the others as planned
    echo gene,score,n_cells
    planned lab.sower 01 | awk '{ printf "%s,1.%d,%d\n", $1, NR, $2 - (NR == 2) }'
} > results.csv
expect 0 "$SOWER" record lab.yaml results.csv $gain_lab
"$SOWER" status lab.yaml --json $gain_lab > status.json || fail "status"
equal "$(json status.json status.partial)" "$((round_0_partial + 1))" "partial"
rm -rf lab.sower

refused "--set design.allocation" "unknown" "'gain'" "uniform, expected-gain" -- "$SOWER" check sim.yaml --set design.allocation=gain
refused "--set design.allocation_range" "0.5" -- "$SOWER" check sim.yaml --set design.allocation_range=0.5
refused "design.allocation 'expected-gain' needs a model" "gp" "'linear' does not" -- "$SOWER" run sim.yaml --set design.allocation=expected-gain --set model.kind=linear --set acquisition.strategy=greedy
replayed
refused "design.allocation 'expected-gain'" "finished table" -- "$SOWER" check rep.yaml --set design.allocation=expected-gain
refused "evaluation.measured" "nobody knows the truth" -- "$SOWER" check lab.yaml --set evaluation.measured=true
refused "evaluation is for single cells" -- "$SOWER" check sim.yaml --set evaluation.measured=true --set evaluation.de_genes=5
exit 0
