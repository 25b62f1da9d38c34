# sower evaluate from outside: files, exit codes, the same bytes, Ctrl-C.
. "$(dirname "$0")/lib.sh"
simulated
expect 0 "$SOWER" evaluate sim.yaml --folds 3 --quiet
prints ./sim.evaluate/evaluate.csv ./sim.evaluate/evaluate_summary.csv ./sim.evaluate/evaluate.html
equal "$(head -n 1 sim.evaluate/evaluate.csv)" split,fold,perturbation,model,metric,value,cells "head of evaluate.csv"
equal "$(head -n 1 sim.evaluate/evaluate_summary.csv)" split,model,metric,mean,sd,low,high,n "head of evaluate_summary.csv"
equal "$(grep -c ',gp,measured,' sim.evaluate/evaluate.csv)" 90 "perturbations judged"
grep -q "default-src 'none'" sim.evaluate/evaluate.html || fail "the page may load something"
[ -e sim.sower ] && fail "a campaign was begun"
"$source_dir/scripts/check-report" sim.evaluate/evaluate.html > out 2> err
case $? in
0) ;;
77) note_skip "no Chromium: the page was not opened" ;;
*) fail "the page in a browser" ;;
esac

expect 0 "$SOWER" evaluate sim.yaml --folds 3 --threads 1 --out one --json
equal "$(json out dir)" one "folder in --json"
equal "$(json out summary.0.model)" gp "first model in --json"
for file in evaluate.csv evaluate_summary.csv evaluate.html; do
    same sim.evaluate/$file one/$file
done
expect 0 "$SOWER" evaluate sim.yaml --folds 3 --seed 12 --models linear,gp --out other --quiet
differ one/evaluate.csv other/evaluate.csv
equal "$(cut -d, -f4 other/evaluate.csv | sed 1d | sort -u | tr '\n' ' ')" "gp linear " "models judged"

# ---- refused: exit 2, one line, nothing written
none() {
    [ -e bad ] && fail "something was written"
    return 0
}
refused "unknown split 'fods'; did you mean 'folds'?" -- "$SOWER" evaluate sim.yaml --split fods --out bad
refused "unknown model 'lineal'; did you mean 'linear'?" -- "$SOWER" evaluate sim.yaml --models lineal --out bad
refused "91 folds of 90 perturbations" -- "$SOWER" evaluate sim.yaml --folds 91 --out bad
refused "--folds takes a number of at least 2" -- "$SOWER" evaluate sim.yaml --folds 1 --out bad
refused "unknown option '--flods'" -- "$SOWER" evaluate sim.yaml --flods 3
refused "model 'two-way' cannot be evaluated here" -- "$SOWER" evaluate sim.yaml --models two-way --out bad
none
screen 40 > screen.csv
cat > lab.yaml <<YAML
sower: 1
name: lab
data: {sources: [{file: screen.csv, role: target, context: here, perturbation: gene, cells: n_cells}]}
readout: {kind: scalar, column: score}
model: {kind: gp}
rounds: {initial: {size: 5}, batches: []}
oracle: {kind: lab}
YAML
refused "lab.yaml: oracle.kind is lab" -- "$SOWER" evaluate lab.yaml --out bad
sed 's/kind: lab/kind: replay/' lab.yaml > bare.yaml
refused "bare.yaml: model 'knn' cannot be evaluated here: it predicts from priors" -- "$SOWER" evaluate bare.yaml --models knn --out bad
none
mkdir full && chmod a-w full
if [ "$(id -u)" -ne 0 ]; then
    expect 1 "$SOWER" evaluate sim.yaml --out full/e --quiet
fi

# ---- Ctrl-C: nothing half written, what was there stays, and a second run is whole
sed -i 's/perturbations: 90/perturbations: 1500/' sim.yaml
cp one/evaluate.csv before.csv
"$SOWER" evaluate sim.yaml --folds 10 --out one --quiet > out 2> err &
pid=$!
sleep 0.3
while kill -s INT "$pid" 2> /dev/null; do # a shell starts it with SIGINT ignored, until the program asks for it
    sleep 0.1
done
wait "$pid"
code=$?
[ "$code" = 0 ] && fail "it ended before the signal came"
equal "$code" 130 "exit code after SIGINT"
says "interrupted; nothing was written"
same one/evaluate.csv before.csv
touch one/evaluate.csv.tmp-1
expect 0 "$SOWER" evaluate sim.yaml --folds 2 --models train-mean --out one --quiet
nothing_half_written one
equal "$(grep -c ',measured,' one/evaluate.csv)" 1500 "perturbations of the second run"
exit 0
