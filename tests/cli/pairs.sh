# Several target contexts: the pool is of (context, perturbation) pairs. Files, bills, rules, results from people, and what is refused.
. "$(dirname "$0")/lib.sh"

# three_lines: scores of 30 perturbations in the lines a, b and c
three_lines() {
    awk 'BEGIN {
        print "gene,line,score,n_cells"
        for (i = 1; i <= 30; i++) for (c = 1; c <= 3; c++)
            printf "G%02d,%s,%.4f,%d\n", i, substr("abc", c, 1), 3 * sin(i * 1.7) + c + ((i * 31 + c * 17) % 7) / 10, 40 + i
    }'
}
three_lines > screen.csv
layout 30 | sed 's/^G0/G/' > layout.csv
cat > p.yaml <<YAML
sower: 1
name: p
seed: 6
data:
  sources:
    - {file: screen.csv, role: target, context: {column: line}, contexts: [a, b], perturbation: gene, cells: n_cells}
    - {file: screen.csv, role: reference, context: {column: line}, contexts: [c], perturbation: gene, cells: n_cells}
readout: {kind: scalar, column: score}
priors: [{name: layout, file: layout.csv, key: gene}]
model: {kind: gp, iterations: 10}
objective: {kind: hits, top: 0.1}
acquisition: {strategy: ucb}
rounds: {initial: {size: 6, strategy: random}, batches: [6, 6]}
oracle: {kind: replay, held_out: {count: 12}}
constraints:
  include: [G07]
  quota: [{context: b, at_most: 2}]
design: {guides_per_target: 2, cells_per_perturbation: 100, control_share: 0.2}
costs: {per_round: 100, per_context: 50, per_cell: 0.1, contexts: [{context: b, per_cell: 0.25}]}
YAML

expect 0 "$SOWER" check p.yaml
expect 0 "$SOWER" run p.yaml
says "round 2 of 2"
for batch in p.sower/rounds/*/batch.csv; do
    [ "$(grep -c ,b, "$batch")" -le 2 ] || fail "more than 2 picks in b: $batch"
done
equal "$(cut -d, -f2,3 p.sower/rounds/00/batch.csv | grep '^G07' | sort | tr '\n' ' ')" "G07,a G07,b " "G07 is to be included in every target context"
equal "$(cat p.sower/rounds/*/batch.csv | grep -v ^rank | cut -d, -f2,3 | sort | uniq -d)" "" "pairs planned twice"
equal "$(grep -c '^2,18,gp,[ab],' p.sower/metrics.csv)" "$(( 2 * $(grep -c '^2,18,gp,all,' p.sower/metrics.csv) ))" "rows of each context, and of their mean"
awk -F, '$1 == 2 && $3 == "gp" && $5 == "rmse" { v[$4] = $6 } END { d = v["all"] - (v["a"] + v["b"]) / 2; exit !(d < 1e-5 && d > -1e-5) }' p.sower/metrics.csv || fail "the mean over contexts"
equal "$(metric p.sower 2 pool_size)" 48 "pairs in the pool"
# 100 a round, 50 a context, 4 x 125 cells at .1 and 2 x 125 at .25
equal "$(metric p.sower 0 cost)" 312.5 "cost of a round in both contexts"
equal "$(awk -F, '$4 == "non-targeting" { print $3 }' p.sower/rounds/00/order.csv | sort -u | tr '\n' ' ')" "a b " "each context has its own controls"
expect 0 "$SOWER" status p.yaml --json
equal "$(json out status.measured)" 18 "pairs measured"

# ---- the same for any number of threads, and when rounds are run one at a time
for threads in 1 3; do
    expect 0 "$SOWER" run p.yaml --out "t$threads" --threads "$threads"
    equal "$(results_of "t$threads")" "$(results_of p.sower)" "results with $threads threads"
done
expect 0 "$SOWER" plan p.yaml --out steps
expect 0 "$SOWER" run p.yaml --out steps
equal "$(results_of steps)" "$(results_of p.sower)" "results step by step"

# ---- what is not known cannot matter: rows of pairs that are neither measured nor judged
mkdir other
cp layout.csv other
sed 's/, held_out: {count: 12}//' p.yaml > other/p.yaml
sed 's/, held_out: {count: 12}//' p.yaml > all.yaml
expect 0 "$SOWER" run all.yaml --out all --set "rounds.batches=[6]"
cat all/rounds/*/batch.csv | cut -d, -f2,3 > chosen
awk -F, 'NR == FNR { seen[$1 "," $2] = 1; next } FNR == 1 || seen[$1 "," $2] || $2 == "c" { print; next } { printf "%s,%s,%.4f,%s\n", $1, $2, $3 + 50, $4 }' chosen screen.csv > other/screen.csv
expect 0 "$SOWER" run other/p.yaml --out changed --set "rounds.batches=[6]"
same all/rounds/01/batch.csv changed/rounds/01/batch.csv
# ... and what was measured in the one context does in the other
pair=$(sed -n 2,7p all/rounds/00/batch.csv | cut -d, -f2,3 | grep ',a$' | head -n 1)
awk -F, -v p="$pair" '$1 "," $2 == p { printf "%s,%s,%.4f,%s\n", $1, $2, $3 + 9, $4; next } { print }' screen.csv > other/screen.csv
expect 0 "$SOWER" run other/p.yaml --out moved --set "rounds.batches=[6]"
differ all/rounds/01/batch.csv moved/rounds/01/batch.csv

# ---- fit, predict, the map
expect 0 "$SOWER" fit p.yaml
prints "a:" "b:"
expect 0 "$SOWER" predict p.yaml
equal "$(cut -d, -f2 p.sower/predictions.csv | sed 1d | sort | uniq -c | awk '{ print $1 $2 }' | tr '\n' ' ')" "30a 30b " "predictions of every pair"
equal "$(grep -c ',measured,' p.sower/predictions.csv)" 18 "measured pairs among them"
"$source_dir/scripts/check-report" p.sower/report.html > out 2> err
case $? in
0) ;;
77) note_skip "no Chromium: the page was not opened" ;;
*) fail "the page in a browser" ;;
esac

# ---- check reckons with a model for each target context
expect 0 "$SOWER" check p.yaml --json --set 'rounds.batches=[20]' --set oracle.held_out.count=2
both=$(json out effort.seconds_at_most)
expect 0 "$SOWER" check p.yaml --json --set 'rounds.batches=[20]' --set oracle.held_out.count=2 --set 'data.sources[0].contexts=[a]' --set 'constraints.quota=[]' --set 'costs.contexts=[]'
[ "${both%.*}" -gt "$(json out effort.seconds_at_most | cut -d. -f1)" ] || fail "check reckons with $both s of two target contexts"

# ---- single cells
on_cells cells.yaml
sed 's/contexts: \[here\]/contexts: [here, there]/; /role: reference/d' cells.yaml > two.yaml
expect 0 "$SOWER" run two.yaml
equal "$(sed 1d cells.sower/rounds/00/batch.csv | cut -d, -f3 | sort -u | tr '\n' ' ')" "here there " "contexts of round 0"
expect 0 "$SOWER" predict two.yaml
expect 0 "$SOWER" predict two.yaml --cells 10
expect 0 "$SOWER" predict two.yaml --all
rm -rf cells.sower

# ---- people measure: a file may bring one context after the other
awk 'BEGIN { print "gene,line"; for (i = 1; i <= 30; i++) for (c = 1; c <= 2; c++) printf "G%02d,%s\n", i, substr("ab", c, 1) }' > candidates.csv
sed 's/file: screen.csv, role: target/file: candidates.csv, role: target/; s/kind: replay, held_out: {count: 12}/kind: lab/; s/name: p/name: lab/' p.yaml > lab.yaml
expect 0 "$SOWER" plan lab.yaml
rows_of() { # rows_of CONTEXT: what the lab measured there
    head -n 1 screen.csv
    sed 1d lab.sower/rounds/00/batch.csv | cut -d, -f2,3 | grep ",$1\$" | while IFS= read -r pair; do grep "^$pair," screen.csv; done
}
rows_of a > a.csv
rows_of b > b.csv
cut -d, -f1,3,4 b.csv > which.csv
expect 2 "$SOWER" record lab.yaml which.csv
says "which.csv: this campaign measures in 2 contexts, and the file does not say which row is of which: give it a column 'line'; nothing was recorded"
expect 0 "$SOWER" record lab.yaml a.csv
prints "recorded $(sed 1d a.csv | wc -l) (0 of them not planned), failed 0, still awaited $(sed 1d b.csv | wc -l)"
expect 0 "$SOWER" status lab.yaml --json
equal "$(json out status.partial)" "$(sed 1d a.csv | wc -l)" "pairs of the first file, with fewer cells than planned"
expect 0 "$SOWER" record lab.yaml b.csv
expect 0 "$SOWER" plan lab.yaml
equal "$(sed 1d lab.sower/rounds/01/batch.csv | wc -l)" 6 "the next batch"
rm -rf lab.sower

# ---- refused
rm -rf p.sower
refused "p.yaml" "costs.contexts: 'd' is no target context of the data; there are: a, b" -- "$SOWER" run p.yaml --set 'costs.contexts=[{context: d, per_cell: 1}]'
refused "constraints.quota: 'c' is no target context" -- "$SOWER" run p.yaml --set 'constraints.quota=[{context: c, at_most: 3}]'
refused "costs.contexts names 'b' twice" -- "$SOWER" run p.yaml --set 'costs.contexts=[{context: b}, {context: b}]'
refused "an evaluation by folds is of one target context, and there are 2, 'a' and 'b' among them" -- "$SOWER" evaluate p.yaml
refused "a choice of seeds is of one target context" -- "$SOWER" seeds p.yaml
refused "at most 0 of context a per batch" -- "$SOWER" run p.yaml --set 'constraints.quota=[{context: a, at_most: 0}, {context: b, at_most: 0}]' --set 'constraints.include=[]'
exit 0
