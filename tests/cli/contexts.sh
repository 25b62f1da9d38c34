# sower evaluate --leave-one-context-out from outside: files, the same bytes for any number of threads, and every bad input.
. "$(dirname "$0")/lib.sh"

# three_lines: scores of 30 perturbations in the lines a, b and c, the last with two of them
three_lines() {
    awk 'BEGIN {
        print "gene,line,score,n_cells"
        for (i = 1; i <= 30; i++) for (c = 1; c <= 3; c++) {
            if (c == 3 && i > 2) continue
            printf "G%02d,%s,%.4f,%d\n", i, substr("abc", c, 1), 3 * sin(i * 1.7) + c + ((i * 31 + c * 17) % 7) / 10, 40 + i
        }
    }'
}
three_lines > screen.csv
cat > c.yaml <<YAML
sower: 1
name: c
seed: 6
data:
  sources:
    - {file: screen.csv, role: target, context: {column: line}, contexts: [a], perturbation: gene, cells: n_cells}
    - {file: screen.csv, role: reference, context: {column: line}, contexts: [b, c], perturbation: gene, cells: n_cells}
readout: {kind: scalar, column: score}
model: {kind: gp, iterations: 10}
acquisition: {strategy: max-variance}
rounds: {initial: {size: 5, strategy: random}, batches: []}
oracle: {kind: replay}
YAML

expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out
prints "With 20 seeds measured in a context not seen before, " ./c.evaluate/contexts.csv ./c.evaluate/contexts_summary.csv ./c.evaluate/contexts.html
says "context c is not evaluated: 2 of its perturbations are measured elsewhere too, and at least 3 must be"
lines_said 1
equal "$(head -n 1 c.evaluate/contexts.csv)" context,draw,seeds,used,model,metric,mean,n "head of contexts.csv"
equal "$(head -n 1 c.evaluate/contexts_summary.csv)" seeds,context,model,metric,mean,low,high,n "head of contexts_summary.csv"
equal "$(grep -c '^a,[1-5],20,20,two-way,rmse,[0-9.]*,10$' c.evaluate/contexts.csv)" 5 "draws of context a, with ten perturbations that are no seeds"
equal "$(cut -d, -f1 c.evaluate/contexts.csv | sed 1d | sort -u | tr '\n' ' ')" "a b " "contexts"
[ -e c.sower ] && fail "a campaign was begun"

# a and b are shifted copies: two-way is nearly right, the seeds' mean is not
awk -F, '$1 == 20 && $2 == "all" && $4 == "rmse" { v[$3] = $5 } END { exit !(v["two-way"] < 0.5 && v["train-mean"] > 1.5 && v["source-shift"] > 0.8) }' c.evaluate/contexts_summary.csv || fail "errors of the baselines"

for threads in 1 3; do
    expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out --seeds 28,5,40 --draws 3 --models two-way,gp,seed-mean --threads "$threads" --out "t$threads" --json
    says "context a measured 30 perturbations: 28 seeds in place of 40, so that 2 are left to predict"
    equal "$(json out draws)" 3 "draws in --json"
    [ -n "$(json out headline)" ] || fail "no headline in --json"
done
for file in contexts.csv contexts_summary.csv contexts.html; do
    same t1/$file t3/$file
done
equal "$(cut -d, -f5 t1/contexts.csv | sed 1d | sort -u | tr '\n' ' ')" "gp train-mean two-way " "models judged; seed-mean is train-mean"
equal "$(cut -d, -f3,4 t1/contexts.csv | sed 1d | sort -u | tr '\n' ' ')" "28,28 40,28 5,5 " "seeds asked for and used"
expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out --contexts b --draws 1 --seed 7 --out other --quiet
prints "one draw of seeds cannot tell"
equal "$(cut -d, -f1 other/contexts.csv | sed 1d | sort -u)" b "context asked for"
equal "$(grep -c ',,,1$' other/contexts_summary.csv)" "$(grep -c ',1$' other/contexts_summary.csv)" "intervals of a single draw"
"$source_dir/scripts/check-report" t1/contexts.html c.evaluate/contexts.html > out 2> err
case $? in
0) ;;
77) note_skip "no Chromium: the pages were not opened" ;;
*) fail "the pages in a browser" ;;
esac

# ---- single cells in two contexts
on_cells cells.yaml
expect 0 "$SOWER" evaluate cells.yaml --leave-one-context-out --seeds 3 --draws 2
says "there are two contexts: with one known there is nothing to learn how far contexts agree from"
grep -q '^3,all,gp,pearson_top20_wilcoxon,' cells.evaluate/contexts_summary.csv || fail "no metric over genes by rank sum"

# ---- refused: exit 2, one line, nothing written
refused "--seeds takes numbers of at least 1" "not '0'" -- "$SOWER" evaluate c.yaml --leave-one-context-out --seeds 0 --out bad
refused "--seeds takes numbers of at least 1" "not '5,many'" -- "$SOWER" evaluate c.yaml --leave-one-context-out --seeds 5,many --out bad
refused "--draws takes a number of at least 1" -- "$SOWER" evaluate c.yaml --leave-one-context-out --draws 0 --out bad
refused "c.yaml: --contexts: no context 'A' in this screen; did you mean 'a'? (contexts: a, b, c)" -- "$SOWER" evaluate c.yaml --leave-one-context-out --contexts b,A --out bad
refused "unknown model 'lineal'; did you mean 'linear'?" -- "$SOWER" evaluate c.yaml --leave-one-context-out --models lineal --out bad
refused "--split holds perturbations out, --leave-one-context-out contexts: give one of the two" -- "$SOWER" evaluate c.yaml --leave-one-context-out --split folds --out bad
refused "--seeds goes with --leave-one-context-out" -- "$SOWER" evaluate c.yaml --seeds 5 --out bad
sed 's/ \[b, c\]/ [c]/' c.yaml > few.yaml
expect 2 "$SOWER" evaluate few.yaml --leave-one-context-out --out bad
says "few.yaml: no context shares 3 perturbations with the others"
sed '/contexts: \[b, c\]/d' c.yaml > alone.yaml
refused "alone.yaml: --leave-one-context-out needs at least two contexts, and this screen has one" -- "$SOWER" evaluate alone.yaml --leave-one-context-out --out bad
[ -e bad ] && fail "something was written"
exit 0
