# The allocation report of sower simulate from outside: its files, the same bytes for any number of workers, budgets that pick other allocations, and budgets that afford nothing.
. "$(dirname "$0")/lib.sh"

cat > base.yaml <<YAML
sower: 1
name: base
oracle: {kind: generative, perturbations: 150, modules: 10, prior_dims: 6, informativeness: 0.9, held_out: {fraction: 0.2}}
objective: {kind: hits, top: 0.1}
model: {kind: gp, iterations: 15}
acquisition: {strategy: random}
rounds: {initial: {size: 12, strategy: random}, batches: [10, 10, 10, 10]}
costs: {currency: EUR, per_round: 2000, per_perturbation: 100, weeks_per_round: 4}
YAML
sweep() { # sweep FILE LINE...
    file=$1
    shift
    printf 'sower: 1\nsweep: %s\ncampaign: base.yaml\nseeds: 4\nstrategies: [random, greedy]\n' "$(basename "$file" .yaml)" > "$file"
    printf '%s\n' "$@" >> "$file"
}
column() { # column FILE NAME: a column of a CSV without quotes
    awk -F, -v name="$2" 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == name) c = i; next} {print $c}' "$1"
}
recommended() { # the row of allocation.csv that is
    awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "recommended") c = i; next} $c == 1 {print $2 " " $3}' "$1/allocation.csv"
}
sentence() { # sentence KEY: of the first world, from --json
    json out "allocation.worlds.0.words.$1"
}

# ---- files, and the same bytes
sweep s.yaml 'allocations: {steps: {initial: 12, batches: [10, 10, 10, 10]}, once: {initial: 12, batches: [40]}}'
expect 0 "$SOWER" simulate s.yaml --jobs 1
prints "Without a limit on money or time: take greedy/" "Expected hits_recall (higher is better)" "The next 1,000 EUR" "The next 4 weeks" ./s.sweep/allocation.csv ./s.sweep/allocation.html
equal "$(head -n 1 s.sweep/allocation.csv)" "world,arm,rounds,perturbations,cells_per_perturbation,cost,weeks,metric,value,low,high,n,over_best,over_best_low,over_best_high,detectable,affordable,front_money,front_weeks,front_both,recommended,same_as" "head of allocation.csv"
equal "$(sed 1d s.sweep/allocation.csv | wc -l)" 14 "allocations: 2 x 5 and 2 x 2"
equal "$(grep -c '"random/steps, first round alone"$' s.sweep/allocation.csv)" 3 "arms that begin as the first does"
equal "$(recommended s.sweep | wc -l)" 1 "recommended rows"
equal "$(awk -F, '$2 == "random/steps" && $3 == 3 {print $4, $6, $7}' s.sweep/allocation.csv)" "32 9200 12" "what three rounds use"
expect 0 "$SOWER" simulate s.yaml --jobs 2 --out two --json
for file in allocation.csv allocation.html summary.json; do
    same "s.sweep/$file" "two/$file"
done
sentence headline > said
grep -q "^Without a limit" said || fail "--json lacks the headline: $(cat said)"
[ "$(json out allocation.metric)" = hits_recall ] || fail "--json lacks allocation"

# ---- a budget: nothing is played again, and what is taken can be had
expect 0 "$SOWER" simulate s.yaml --set budget.money=9000 --set budget.weeks=12 --json
equal "$(json out played)" 0 "jobs played for a budget"
sentence headline | grep -q "^With 9,000 EUR and 12 weeks: take " || fail "headline of a budget: $(sentence headline)"
awk -F, '$21 == 1 && ($6 > 9000 || $7 > 12) {exit 1}' s.sweep/allocation.csv || fail "recommended what cannot be had"
equal "$(column s.sweep/allocation.csv affordable | sort | uniq -c | tr -s ' \n' ' ')" "$(awk -F, 'NR > 1 {print ($6 <= 9000 && $7 <= 12)}' s.sweep/allocation.csv | sort | uniq -c | tr -s ' \n' ' ')" "affordable"
expect 0 "$SOWER" simulate s.yaml --set budget.weeks=4 --json
equal "$(recommended s.sweep)" "random/steps 1" "all that four weeks allow"
expect 0 "$SOWER" simulate s.yaml --set budget.margin=1 --set budget.worth=10 --set budget.next_money=5000 --set budget.next_weeks=8
prints "The next 5,000 EUR" "The next 8 weeks" "a unit being worth 10 EUR"
expect 0 "$SOWER" simulate s.yaml --set seeds=1 --out single
prints "That flatters it"
prints "One seed shows of no cheaper one that it is as good"
sed -n '/^<header>/,/^<noscript>/p' single/allocation.html | cat - single/allocation.csv | grep -iw nan && fail "NaN in the report of one seed"

# ---- worlds are not something to choose
sweep w.yaml 'oracles: {easy: {oracle.informativeness: 0.95}, hard: {oracle.informativeness: 0.1}}'
expect 0 "$SOWER" simulate w.yaml
prints "in the world 'easy': take" "in the world 'hard': take"
equal "$(column w.sweep/allocation.csv world | sort | uniq -c | tr -s ' \n' ' ')" " 10 easy 10 hard " "rows of worlds"
equal "$(recommended w.sweep | wc -l)" 2 "recommended rows of two worlds"

# ---- a budget that affords nothing is refused before anything is played
nothing() {
    [ -e bad.sweep ] && fail "a folder was left"
    [ -s out ] && fail "something on stdout"
    lines_said 1
}
sweep bad.yaml 'budget: {money: 3000}'
expect 2 "$SOWER" simulate bad.yaml
says "bad.yaml: budget: 3000.00 EUR afford nothing: the cheapest allocation is 'random', its first round alone: 3200.00 EUR and 4 weeks; raise budget.money to 3200.00 or more"
nothing
sweep bad.yaml 'budget: {money: 5000, weeks: 3}'
expect 2 "$SOWER" simulate bad.yaml
says "budget: 5000.00 EUR and 3 weeks afford nothing: the shortest allocation is 'random', its first round alone: 3200.00 EUR and 4 weeks; raise budget.weeks to 4"
nothing
expect 2 "$SOWER" simulate bad.yaml --set budget.money=100
says "and budget.money to 3200.00"
nothing
sweep bad.yaml 'budget: {money: 3000}' 'set: {costs: {per_round: 0, per_perturbation: 0}}'
expect 2 "$SOWER" simulate bad.yaml
says "budget.money: nothing in this sweep has a price; give \`costs\`"
nothing
sweep bad.yaml 'budget: {weeks: 3}' 'set: {costs: {weeks_per_round: 0}}'
expect 2 "$SOWER" simulate bad.yaml
says "budget.weeks: no round of this sweep takes any time"
nothing
for wrong in 'money: -5' 'money: 0' 'weeks: soon' 'margin: -0.1' 'worth: 0' 'mony: 5'; do
    sweep bad.yaml "budget: {$wrong}"
    expect 2 "$SOWER" simulate bad.yaml
    says "bad.yaml:6:"
    nothing
done
sweep bad.yaml 'budget: 40000'
expect 2 "$SOWER" simulate bad.yaml
says "bad.yaml:6:" budget
nothing

# ---- nothing has a price: there is still a best one, and no chart against nothing
sweep free.yaml 'set: {costs: {per_round: 0, per_perturbation: 0, weeks_per_round: 0}}'
expect 0 "$SOWER" simulate free.yaml
prints "nothing has a price"
grep -q 'Quality against' free.sweep/allocation.html && fail "a chart against a price that is 0"

# ---- the pages in a browser
"$source_dir/scripts/check-report" s.sweep/allocation.html w.sweep/allocation.html free.sweep/allocation.html single/allocation.html > out 2> err
code=$?
[ $code = 77 ] && note_skip "no Chromium: pages were not opened"
[ $code = 0 ] || [ $code = 77 ] || fail "a page in the browser"
exit 0
