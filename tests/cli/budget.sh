# The bill of check and of every plan, the budget that ends a campaign, and rounds that overlap.
. "$(dirname "$0")/lib.sh"

cat > b.yaml <<'Y'
sower: 1
name: b
seed: 3
oracle: {kind: generative, perturbations: 120, modules: 8, cells: 60, held_out: {fraction: 0.2}}
model: {kind: gp, iterations: 10}
objective: {kind: hits, top: 0.1}
acquisition: {strategy: ucb}
rounds: {initial: {size: 12}, batches: [8, 8, 8]}
design: {guides_per_target: 2, cells_per_perturbation: 60, control_share: 0.1, control_guides: 6, selection: infected, moi: 0.4, quality_share: 0.85, doublet_share: 0.06, survival: 0.9, cells_per_lane: 700, reads_per_cell: 20000}
costs: {currency: EUR, per_round: 400, per_guide: 12.5, per_cell: 0.086, per_million_reads: 0.374, per_lane: 610, per_million_transduced: 250, weeks_per_round: 5, weeks_between_rounds: 3}
constraints: {controls: [POS1]}
budget: {money: 6000, weeks: 20}
Y

sum_of_items() { awk '$1 == "item" { s += $NF } END { printf "%.2f", s }' "$1"; }

expect 0 "$SOWER" check b.yaml
cp out checked
for item in round guides "control guides" transduction lanes cells sequencing; do
    grep -q "^item      $item " checked || fail "check does not print the row '$item'"
done
equal "$(sum_of_items checked)" "$(awk '$1 == "bill" { print $2 }' checked)" "the sum of check's rows and its sum"
grep -q "^overlap .* of the one before it" checked || fail "check does not speak of the overlap"
grep -q "round 0, cells: captured for .* carry one guide" checked || fail "check does not explain the cells"
grep -q "^budget    6000.00 EUR, .* left; 20 weeks, " checked || fail "check does not print the budget"
grep -q "is cut from 8 to [1-7] perturbations\?: .* EUR of budget.money are left" checked || fail "check does not say which round is cut"
sizes=$(awk '/^round / { printf "%s ", $3 }' checked)

expect 0 "$SOWER" check b.yaml --json
equal "$(json out bill.rounds_overlapping)" 1 "rounds that overlap"
equal "$(json out bill.budget.money)" 6000.0 "the budget"
rows=0 i=0
while [ "$i" -lt "$(json out 'bill.rows.#')" ]; do
    rows=$(echo "$rows $(json out bill.rows.$i.cost)" | awk '{ printf "%.2f", $1 + $2 }')
    i=$((i + 1))
done
equal "$rows" "$(json out bill.total | awk '{ printf "%.2f", $1 }')" "the sum of the rows in JSON"

# every plan prints its bill, in the terminal, as a file, in plan.json
expect 0 "$SOWER" plan b.yaml
equal "$(sum_of_items out)" "$(awk '$1 == "bill" { print $2 }' out)" "the sum of plan's rows and its sum"
csv=b.sower/rounds/00/bill.csv
equal "$(head -n 1 $csv)" "item,quantity,unit,price,cost,note" "columns of bill.csv"
equal "$(awk -F, 'NR > 1 && $1 != "sum" { s += $5 } END { printf "%.2f", s }' $csv)" "$(awk -F, '$1 == "sum" { print $5 }' $csv)" "the sum of bill.csv"
equal "$(awk -F, '$1 == "sum" { print $5 }' $csv)" "$(awk '$1 == "bill" { print $2 }' out)" "bill.csv and the terminal"
equal "$(json b.sower/rounds/00/plan.json bill.currency)" EUR "plan.json's bill"
equal "$(json b.sower/rounds/00/plan.json bill.total | awk '{ printf "%.2f", $1 }')" "$(awk -F, '$1 == "sum" { print $5 }' $csv)" "bill.csv and plan.json"
equal "$(grep -c ',non-targeting,' b.sower/rounds/00/order.csv)" 6 "lines of control guides"
expect 0 "$SOWER" plan b.yaml # round 1 overlaps it
grep -q "control guides" b.sower/rounds/01/bill.csv && fail "control guides are billed twice"
expect 3 "$SOWER" plan b.yaml

# to the end, which the budget sets
expect 0 "$SOWER" run b.yaml
grep -q "the campaign is over: round . is cut from 8" err || fail "run does not say why it is over: $(cat err)"
played=
for d in b.sower/rounds/*; do played="$played$(($(wc -l < "$d/batch.csv") - 1)) "; done
equal "$played" "$sizes" "sizes of the rounds played and those that check said"
expect 0 "$SOWER" status b.yaml
grep -q "^budget    6000.00 EUR, " out || fail "status does not print the budget"
expect 0 "$SOWER" status b.yaml --json
json out bill.total | awk '{ exit !($1 <= 6000) }' || fail "more was spent than there was"
equal "$(json out state)" finished "the state"
json out ended | grep -q "is cut from 8" || fail "status --json does not say why it ended"
grep -q "the budget ends the campaign here" b.sower/report.html || fail "the report does not say why it ended"
grep -q "captured for" b.sower/report.html || fail "the report does not explain the cells"
equal "$(metric b.sower 0 weeks)" 5 "weeks to the results of round 0"
equal "$(metric b.sower 1 weeks)" 8 "weeks to the results of round 1"
expect 3 "$SOWER" plan b.yaml
expect 0 "$SOWER" run b.yaml --set budget.money=60000
equal "$(ls b.sower/rounds | wc -l)" 4 "rounds after the budget was raised"

# what cannot be
expect 2 "$SOWER" check b.yaml --set budget.money=500
grep -q "budget.money 500.00 EUR does not pay for round 0: with a single perturbation it costs [0-9.]*; raise" err || fail "$(cat err)"
expect 2 "$SOWER" run b.yaml --set budget.money=500 --out never
[ ! -e never/campaign.db ] || fail "a campaign that cannot be paid for was begun"
expect 2 "$SOWER" check b.yaml --set budget.weeks=4
expect 2 "$SOWER" check b.yaml --set costs.per_guide=-1 --set costs.per_lane=nan --set design.moi=0
equal "$(wc -l < err)" 3 "problems said"

# a sweep may ask whether overlap pays: with the same rounds it is quicker
sed -e '/^budget/d' -e 's/, weeks_between_rounds: 3//' b.yaml > s.yaml
cat > sweep.yaml <<'Y'
sower: 1
campaign: s.yaml
arms:
  in-turn: {}
  overlapping: {costs: {weeks_between_rounds: 3}}
  within: {budget: {money: 3500}}
seeds: [1, 2]
Y
expect 0 "$SOWER" simulate sweep.yaml --out sw
weeks_of() { awk -F, -v arm="$1" -v r="$2" '$1 == arm && $3 == r && !n++ { print $6 }' sw/curves.csv; }
equal "$(weeks_of in-turn 3)" 20 "weeks in turn"
equal "$(weeks_of overlapping 3)" 14 "weeks with overlap"
equal "$(weeks_of within 3)" "" "a round that the budget does not allow"
awk -F, '$1 == "within" && $5 > 3500 { exit 1 }' sw/curves.csv || fail "an arm spent more than its budget"
