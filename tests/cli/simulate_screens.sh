# Simulated screens from outside: written, read back, calibrated on, compared; and every bad input.
. "$(dirname "$0")/lib.sh"

campaign() { # campaign FILE ORACLE-KEYS
    cat > "$1" <<YAML
sower: 1
name: $(basename "$1" .yaml)
seed: 4
oracle: {kind: generative, perturbations: 30, modules: 6, genes: 80, controls: 600, cells: 60$2}
readout: {kind: cells}
model: {kind: linear}
acquisition: {strategy: random}
rounds: {initial: {size: 6, strategy: random}, batches: [6, 6]}
design: {cells_per_perturbation: 40, control_share: 0.1, reads_per_cell: 20000}
YAML
}
lab=", guides: 3, efficiency: 0.8, efficiency_sd: 0.1, failed_guides: 0.1, escapers: 0.1, technical_batches: 2, batch_effect: 0.2, batch_depth: 0.1, doublets: 0.05, dropout: 0.2"
campaign lab.yaml "$lab"

# the same bytes for any number of threads
expect 0 "$SOWER" generate lab.yaml --threads 1
prints lab.screen.h5ad lab.screen.truth.h5ad lab.screen.programs.h5ad lab.screen.guides.csv
expect 0 "$SOWER" generate lab.yaml --to again.h5ad --threads 3
for part in h5ad truth.h5ad programs.h5ad guides.csv; do
    case $part in h5ad) same lab.screen.h5ad again.h5ad ;; *) same "lab.screen.$part" "again.$part" ;; esac
done
equal "$(head -n 1 lab.screen.guides.csv)" guide,perturbation,efficiency "head of guides"
equal "$(sed 1d lab.screen.guides.csv | wc -l)" 90 "guides"

# sower reads it as it reads any screen
expect 0 "$SOWER" inspect lab.screen.h5ad
prints "30 perturbations in perturbation, control control" "600 controls" "technical batch" "raw counts"
cat > replay.yaml <<'YAML'
sower: 1
name: replay
seed: 4
data:
  sources:
    - {file: lab.screen.h5ad, role: target, context: made, perturbation: {column: perturbation, control: control, guide: guide}, technical_batch: batch, values: counts}
readout: {kind: cells}
model: {kind: train-mean}
acquisition: {strategy: random}
rounds: {initial: {size: 6, strategy: random}, batches: [6]}
oracle: {kind: replay}
design: {cells_per_perturbation: 40, control_share: 0.1}
YAML
expect 0 "$SOWER" run replay.yaml
grep -q guide replay.sower/report.html || fail "the report says nothing of guides"

# calibrated on it, a campaign plays against a screen like it
expect 0 "$SOWER" calibrate replay.yaml --to like.json --check
prints like.json like.check.csv like.check.html "The split-half reliability of simulated effects is within " "Like the real screen: " "baseline: like.json" "perturbations: 30" "technical_batches: 2"
equal "$(head -n 1 like.check.csv)" quantity,cells,real,simulated,low,high,perturbations "head of the check"
equal "$(grep -c '^split_half_reliability,' like.check.csv)" 5 "numbers of cells"
grep -q "How reliable an effect is" like.check.html || fail "the page has no reliability"
equal "$(grep -o 'data-chart="[0-9]"' like.check.html | wc -l)" 5 "charts"
"$source_dir/scripts/check-report" like.check.html > checked 2>&1
case $? in 0) ;; 77) note_skip "$(tail -n 1 checked)" ;; *) fail "the page: $(tail -n 3 checked)" ;; esac
cp like.json like.first
expect 0 "$SOWER" calibrate replay.yaml --to like.json
same like.json like.first
campaign like.yaml ", baseline: like.json"
expect 0 "$SOWER" run like.yaml --quiet

# a bare file says the same, by either command
expect 0 "$SOWER" calibrate lab.screen.h5ad
prints "600 controls ('control' of column perturbation), 30 perturbations, batches: column batch" lab.screen.calibration.json "baseline: lab.screen.calibration.json"
same lab.screen.calibration.json like.json
expect 0 "$SOWER" simulate --calibrate lab.screen.h5ad --to again.json --perturbation perturbation --control control --batch batch --context simulated --threads 2
same again.json like.json
expect 0 "$SOWER" simulate --calibrate replay.yaml --to again.json
same again.json like.json
expect 0 "$SOWER" calibrate lab.screen.h5ad --batch guide --to other.json
differ other.json like.json

# controls alone give a baseline, and effects are said to be others'
expect 0 "$SOWER" calibrate lab.screen.h5ad --unperturbed --to alone.json --check
prints "every cell" "No perturbation has 10 cells or more" "perturbations: 1200" alone.check.html
equal "$(grep -c '^gene_' alone.check.csv)" 12 "genes are compared"
equal "$(grep -c -v -e '^gene_' -e '^quantity,' alone.check.csv)" 0 "and nothing else"
equal "$(grep -o 'data-chart="[0-9]"' alone.check.html | wc -l)" 2 "charts of genes"
campaign alone.yaml ", baseline: alone.json"
expect 0 "$SOWER" run alone.yaml --quiet

# a sample that is lost has failed, and may be planned again
campaign lost.yaml ", samples: 2, lost_samples: 0.5"
expect 0 "$SOWER" run lost.yaml --quiet
expect 0 "$SOWER" report lost.yaml
[ "$(grep -c "of the round's 2 was lost" lost.sower/rounds/*/* lost.sower/report.html | awk -F: '{ n += $NF } END { print n }')" -gt 0 ] || grep -aq "was lost" lost.sower/campaign.db || fail "nobody says that a sample was lost"

# two at once: written, read back with two agents, played, and held against the truth
campaign two.yaml ", combinations: 40, guides: 2, held_out: {count: 30}"
expect 0 "$SOWER" generate two.yaml --to two.h5ad --threads 1
expect 0 "$SOWER" generate two.yaml --to again.h5ad --threads 3
same two.h5ad again.h5ad
same two.truth.h5ad again.truth.h5ad
equal "$(sed 1d two.guides.csv | wc -l)" 60 "guides, those of a combination being those of both"
expect 0 "$SOWER" inspect two.h5ad
prints "70 perturbations in perturbation"
sed -e 's/^name: replay/name: replay-two/' -e 's/lab.screen.h5ad/two.h5ad/' -e 's/control: control,/control: control, separator: "+",/' -e 's/kind: train-mean/kind: additive/' -e 's/kind: replay}/kind: replay, held_out: {count: 30}}/' replay.yaml > replay-two.yaml
expect 0 "$SOWER" run replay-two.yaml --quiet
grep -q '+' replay-two.sower/rounds/*/batch.csv || fail "no combination was planned"
grep -q truth_ replay-two.sower/metrics.csv && fail "a replayed screen does not say what is true"
expect 0 "$SOWER" run two.yaml --quiet
for metric in truth_rmse truth_explained truth_explained_alone truth_explained_synergy; do
    for model in linear control additive; do
        [ "$(grep -c "^2,[0-9]*,$model,simulated,$metric," two.sower/metrics.csv)" -eq 1 ] || fail "no $metric of $model"
    done
done
equal "$(grep "^2,[0-9]*,control,simulated,truth_explained," two.sower/metrics.csv | cut -d, -f6)" 0 "what no change explains"
printf 'sower: 1\ncampaign: two.yaml\nseeds: 2\nmodels: [control, linear]\nmetrics: [truth_explained, truth_rmse]\n' > two-sweep.yaml
expect 0 "$SOWER" simulate two-sweep.yaml --quiet
prints truth_explained
printf 'sower: 1\ncampaign: replay-two.yaml\nseeds: 2\nmodels: [control, linear]\nmetrics: [truth_rmse]\n' > no-sweep.yaml
expect 2 "$SOWER" simulate no-sweep.yaml
says "truth_rmse" "only a simulated screen"

# deeper by the reads
campaign deep.yaml ", saturation: 40000"
expect 0 "$SOWER" generate deep.yaml --to deep.h5ad
expect 0 "$SOWER" generate deep.yaml --to shallow.h5ad --set design.reads_per_cell=1000
[ "$(wc -c < deep.h5ad)" -gt "$(wc -c < shallow.h5ad)" ] || fail "fewer reads gave no fewer counts"

# bad input
rm -rf ./*.sower
bad() { # bad KEYS TEXT...
    campaign bad.yaml "$1"
    shift
    refused "$@" -- "$SOWER" generate bad.yaml
}
bad ", doublets: 2" "bad.yaml:4:" "oracle.doublets" "0"
bad ", escapers: -1" "oracle.escapers"
bad ", efficiency: 0.5" "oracle.efficiency does nothing without oracle.guides"
bad ", batch_effect: 0.5" "oracle.batch_effect does nothing without several oracle.technical_batches"
bad ", samples: 3" "oracle.samples does nothing without oracle.lost_samples"
bad ", guides: 2, efficiency: 0.9, efficiency_sd: 0.4" "oracle.efficiency_sd" "below 0.3"
bad ", guide: 2" "unknown key" "guides"
bad ", combinations: -1" "bad.yaml:4:" "oracle.combinations"
bad ", combinations: 106" "oracle.combinations is 106" "30 oracle.perturbations" "105 pairs"
bad ", interactions: {synergy: 1}" "oracle.interactions does nothing without oracle.combinations"
bad ", combinations: 5, interactions: {synergy: 0}" "oracle.interactions" "weight above 0"
bad ", combinations: 5, interactions: {synergy: -1}" "oracle.interactions.synergy"
bad ", combinations: 5, interactions: {synergies: 1}" "unknown key" "synergy"
bad ", baseline: nowhere.json" "oracle.baseline" "nowhere.json"
echo "gene,share" > table.csv
echo "A,0.1" >> table.csv
bad ", baseline: table.csv" table.csv response_id
printf '{"sower_calibration": 1}' > empty.json
bad ", baseline: empty.json" empty.json genes
expect 2 "$SOWER" generate lab.yaml --to screen.csv
says "a screen is written as .h5ad"
expect 2 "$SOWER" generate replay.yaml
says "only a simulated screen of cells can be written"
expect 2 "$SOWER" calibrate replay.yaml --to like.csv
says "a calibration is written as .json"
refused lab.screen.h5ad "no cell is labelled 'nobody' in column 'perturbation'" "'control' (600)" "--control LABEL" -- "$SOWER" calibrate lab.screen.h5ad --control nobody
refused lab.screen.h5ad "no label of column 'batch' looks like controls" "'B1' (" -- "$SOWER" calibrate lab.screen.h5ad --perturbation batch
refused lab.screen.h5ad "no column 'nobody'" "'guide'" -- "$SOWER" calibrate lab.screen.h5ad --perturbation nobody --control control
refused lab.screen.h5ad "'C9'" "'simulated'" -- "$SOWER" calibrate lab.screen.h5ad --context C9
refused "--unperturbed" "no labels" -- "$SOWER" calibrate lab.screen.h5ad --unperturbed --control control
refused "--control is for a file of cells" -- "$SOWER" calibrate replay.yaml --control control
refused "--check goes with --calibrate FILE" -- "$SOWER" simulate sweep.yaml --check
refused "--jobs is of a sweep" -- "$SOWER" simulate --calibrate lab.screen.h5ad --jobs 2
refused "leave out 'sweep.yaml'" -- "$SOWER" simulate sweep.yaml --calibrate lab.screen.h5ad
refused lab.screen.truth.h5ad -- "$SOWER" calibrate lab.screen.truth.h5ad
refused nowhere.h5ad "no such file" -- "$SOWER" simulate --calibrate nowhere.h5ad
refused lab.screen.guides.csv "takes single cells" -- "$SOWER" calibrate lab.screen.guides.csv
sed 's/control: control/control: nobody/' replay.yaml > uncontrolled.yaml
expect 2 "$SOWER" calibrate uncontrolled.yaml
says "nobody"
sed 's/values: counts/values: log1p/' replay.yaml > logged.yaml
expect 2 "$SOWER" calibrate logged.yaml
says "values: counts"
[ -e uncontrolled.calibration.json ] && fail "a calibration without controls was written"
exit 0
