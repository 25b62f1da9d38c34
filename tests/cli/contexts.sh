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
equal "$(head -n 1 c.evaluate/contexts.csv)" context,draw,seeds,used,model,metric,mean,n,unseen "head of contexts.csv"
equal "$(head -n 1 c.evaluate/contexts_summary.csv)" seeds,context,model,metric,mean,low,high,n,unseen "head of contexts_summary.csv"
equal "$(grep -c '^a,[1-5],20,20,two-way,rmse,[0-9.]*,10,0$' c.evaluate/contexts.csv)" 5 "draws of context a, with ten perturbations that are no seeds"
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
equal "$(grep -c ',,,1,0$' other/contexts_summary.csv)" "$(grep -c ',1,0$' other/contexts_summary.csv)" "intervals of a single draw"
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

# ---- perturbations that no context has measured
sed 's/^model:/priors: [{name: layout, file: layout.csv}]\n&/' c.yaml > prior.yaml
awk 'BEGIN { print "gene,x,y"; for (i = 1; i <= 28; i++) printf "G%02d,%.4f,%.4f\n", i, sin(i * 1.7), cos(i * 1.7) }' > layout.csv
for threads in 1 3; do
    expect 0 "$SOWER" evaluate prior.yaml --leave-one-context-out --unseen 8 --seeds 30,5 --draws 3 --threads "$threads" --out "u$threads"
    prints "and asked about perturbations that no context has measured (8 in every context and draw), " "u$threads/contexts_unseen.csv"
    says "context a measured 30 perturbations, 8 of them unseen: 22 seeds in place of 30"
done
for file in contexts.csv contexts_summary.csv contexts_unseen.csv contexts.html; do
    same u1/$file u3/$file
done
equal "$(grep ,rmse, u1/contexts.csv | cut -d, -f8,9 | sort -u)" 8,8 "perturbations scored, and unseen"
equal "$(cut -d, -f5 u1/contexts.csv | sed 1d | sort -u | tr '\n' ' ')" "gp knn linear train-mean " "models judged; two-way and source-shift know nothing of the unseen"
grep -q "<b>two-way</b> (it predicts the mean of the seeds, as train-mean does)" u1/contexts.html || fail "the page does not say why two-way is left out"
grep -q "Nothing else is scored" u1/contexts.html || fail "the page does not say what is scored"
equal "$(cut -d, -f1,2 u1/contexts_unseen.csv | sed 1d | uniq -c | tr -s ' \n' ' ')" " 8 a,1 8 a,2 8 a,3 8 b,1 8 b,2 8 b,3 " "how many are named"
grep -qE 'G29|G30' u1/contexts_unseen.csv && fail "a perturbation without a prior is unseen"
# the score is linear in the prior: it tells what nobody has measured
awk -F, '$1 == 30 && $2 == "all" && $4 == "rmse" { v[$3] = $5 } END { exit !(v["linear"] < 0.4 && v["train-mean"] > 1.5) }' u1/contexts_summary.csv || fail "the priors are not predicted from"
expect 0 "$SOWER" evaluate prior.yaml --leave-one-context-out --unseen 25% --draws 1 --models gp,two-way --out share --json
says "model two-way knows nothing of a perturbation that was measured nowhere: it predicts the mean of the seeds, as train-mean does"
equal "$(json out unseen)" 25% "unseen in --json"
equal "$(grep -c ^a, share/contexts_unseen.csv)" 7 "a quarter of the 28 that have a prior"
expect 0 "$SOWER" evaluate cells.yaml --leave-one-context-out --unseen 2 --seeds 3 --draws 2 --out u-cells
expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out --unseen 2 --models train-mean --draws 1 --out u-plain
"$source_dir/scripts/check-report" u1/contexts.html > out 2> err
case $? in
0 | 77) ;;
*) fail "the page of unseen perturbations in a browser" ;;
esac

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
refused "c.yaml: model 'gp' cannot be evaluated here: an unseen perturbation needs a prior to be told from others, and the campaign has no \`priors:\`" -- "$SOWER" evaluate c.yaml --leave-one-context-out --unseen 5 --out bad
refused "prior.yaml: --unseen 28: context a measured 28 perturbations that have a prior, of which at most 27 can be unseen, so that 3 are left to learn from: lower it, or give a share such as 20%" -- \
    "$SOWER" evaluate prior.yaml --leave-one-context-out --unseen 28 --contexts a --out bad
refused "prior.yaml: --unseen 3%: of the 28 perturbations that have a prior that context a measured that is 1, and at least 2 are needed" -- "$SOWER" evaluate prior.yaml --leave-one-context-out --unseen 3% --contexts a --out bad
for wrong in 1 0 -3 12x 100% 0% % 2.5 ''; do
    refused "--unseen takes a number of perturbations of at least 2, such as 20, or a share of them, such as 20%, not '$wrong'" -- "$SOWER" evaluate prior.yaml --leave-one-context-out "--unseen=$wrong" --out bad
done
refused "--unseen goes with --leave-one-context-out" -- "$SOWER" evaluate c.yaml --unseen 5 --out bad
[ -e bad ] && fail "something was written"
exit 0
