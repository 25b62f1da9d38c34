# sower seeds from outside: the list, expected accuracies, the same bytes for any number of threads, and every bad input.
. "$(dirname "$0")/lib.sh"

# lines N: scores of 30 perturbations in the first N of the lines a, b, c and d
lines() {
    awk -v n="$1" 'BEGIN {
        print "gene,line,score,n_cells"
        for (i = 1; i <= 30; i++) for (c = 1; c <= n; c++) printf "G%02d,%s,%.4f,%d\n", i, substr("abcd", c, 1), 3 * sin(i * 1.7) + c + ((i * 31 + c * 17) % 7) / 10, 40 + i
    }'
}
campaign() { # campaign REFERENCES FILE
    cat > "$2" <<YAML
sower: 1
name: $(basename "$2" .yaml)
seed: 6
data:
  sources:
    - {file: screen.csv, role: target, context: {column: line}, contexts: [a], perturbation: gene, cells: n_cells}
    - {file: screen.csv, role: reference, context: {column: line}, contexts: [$1], perturbation: gene, cells: n_cells}
readout: {kind: scalar, column: score}
model: {kind: two-way}
acquisition: {strategy: random}
rounds: {initial: {size: 5, strategy: random}, batches: []}
oracle: {kind: replay}
YAML
}
lines 4 > screen.csv
campaign "b, c, d" c.yaml

expect 0 "$SOWER" seeds c.yaml --n 6
prints "6 seeds for a, chosen by " "In replays of b, c and d two-way reached a root mean squared error of " "the next five after 6 would change it by " ./c.seeds/seeds.csv ./c.seeds/seeds_accuracy.csv ./c.seeds/seeds.html
equal "$(head -n 1 c.seeds/seeds.csv)" rank,perturbation,strategy,reason,score "head of seeds.csv"
equal "$(head -n 1 c.seeds/seeds_accuracy.csv)" strategy,seeds,metric,mean,low,high,replays "head of seeds_accuracy.csv"
equal "$(sed 1d c.seeds/seeds.csv | wc -l)" 6 "seeds"
equal "$(sed 1d c.seeds/seeds.csv | cut -d, -f2 | sort -u | wc -l)" 6 "different seeds"
equal "$(cut -d, -f1 c.seeds/seeds_accuracy.csv | sed 1d | sort -u | tr '\n' ' ')" "core-set herding kmeans least-consistent most-consistent random " "strategies that were played"
equal "$(cut -d, -f2 c.seeds/seeds_accuracy.csv | sed 1d | sort -nu | tr '\n' ' ')" "5 6 10 11 20 " "numbers of seeds: 50 are more than there are"
[ -e c.sower ] && fail "a campaign was begun"
"$source_dir/scripts/check-report" c.seeds/seeds.html > out 2> err
case $? in
0) ;;
77) note_skip "no Chromium: the page was not opened" ;;
*) fail "the page in a browser" ;;
esac

for threads in 1 3; do
    expect 0 "$SOWER" seeds c.yaml --n 4 --draws 2 --strategy core-set,random --threads "$threads" --out "t$threads" --json
    equal "$(json out n)" 4 "seeds in --json"
    equal "$(json out seeds.#)" 4 "list in --json"
done
for file in seeds.csv seeds_accuracy.csv seeds.html; do
    same t1/$file t3/$file
done
# what the target measured does not matter, and it may have measured nothing yet
awk -F, -v OFS=, '$2 == "a" { $3 = 100 - $1 } { print }' screen.csv > moved.csv
sed 's/screen.csv/moved.csv/' c.yaml > moved.yaml
expect 0 "$SOWER" seeds moved.yaml --n 4 --draws 2 --strategy core-set,random --out m --quiet
same t1/seeds.csv m/seeds.csv
same t1/seeds_accuracy.csv m/seeds_accuracy.csv
sed 's/kind: replay/kind: lab/' c.yaml > lab.yaml
expect 0 "$SOWER" seeds lab.yaml --n 4 --draws 2 --strategy core-set,random --out l --quiet
same t1/seeds_accuracy.csv l/seeds_accuracy.csv

# a list of one's own; what of it the context lacks is said
expect 0 "$SOWER" seeds c.yaml --n 3 --strategy functional --set "acquisition.list=[G07, G99, G02]" --out f
says "of acquisition.list these cannot be chosen here: G99 (not in this screen)"
equal "$(sed -n '2,3p' f/seeds.csv | cut -d, -f2 | tr '\n' ' ')" "G07 G02 " "the list in its order"

# with one reference there is nothing to replay
campaign b one.yaml
expect 0 "$SOWER" seeds one.yaml --n 3
prints "3 seeds for a, chosen by random: without replays no strategy is known to be better than another." "There is one reference context"
equal "$(wc -l < one.seeds/seeds_accuracy.csv)" 1 "accuracies"

# ---- single cells, before anything is measured
on_cells cells.yaml
expect 0 "$SOWER" seeds cells.yaml --n 3 --strategy core-set
prints "farthest"

# ---- refused: exit 2, one line, nothing written
refused "strategy 'least-consistent' compares reference contexts: it needs two of them, there is one" -- "$SOWER" seeds one.yaml --strategy least-consistent --out bad
refused "strategy 'ucb' goes by predictions or by what is measured" -- "$SOWER" seeds c.yaml --strategy ucb --out bad
refused "unknown strategy 'kmeens'; did you mean 'kmeans'?" -- "$SOWER" seeds c.yaml --strategy kmeens --out bad
refused "strategy 'functional' takes its perturbations from acquisition.list, which is empty" -- "$SOWER" seeds c.yaml --strategy functional --out bad
refused "--n asks for 31 seeds, and the pool of a has 30 perturbations" -- "$SOWER" seeds c.yaml --n 31 --out bad
refused "--n takes a number of at least 1" -- "$SOWER" seeds c.yaml --n 0 --out bad
refused "unknown option '--strateg'" -- "$SOWER" seeds c.yaml --strateg random
sed '/role: reference/d' c.yaml > alone.yaml
refused "alone.yaml: seeds of a new context are chosen by what other contexts say, and there is none" -- "$SOWER" seeds alone.yaml --out bad
[ -e bad ] && fail "something was written"
exit 0
