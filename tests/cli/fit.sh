# sower fit from outside: what was learned, where it is kept, and that a kept model is used.
. "$(dirname "$0")/lib.sh"
simulated
expect 0 "$SOWER" plan sim.yaml --quiet
expect 3 "$SOWER" fit sim.yaml
says "nothing is measured yet"
expect 0 "$SOWER" run sim.yaml --quiet
expect 0 "$SOWER" fit sim.yaml --json
equal "$(json out file)" null "a gp is not kept"

cat > h.yaml << 'Y'
sower: 1
name: h
readout: {kind: cells}
oracle: {kind: generative, perturbations: 30, genes: 40, modules: 4, programs: 4, controls: 80, cells: 30, prior_dims: 6, contexts: 4, held_out: {count: 6}}
model: {kind: hypermap, iterations: 5, components: 6}
rounds: {initial: {size: 10, strategy: random}, batches: [4]}
features: {min_cells_per_perturbation: 4}
evaluation: {de_genes: 10}
Y
expect 0 "$SOWER" run h.yaml --quiet
expect 0 "$SOWER" fit h.yaml --threads 2
prints "hypermap (programs)" "adapted to 14 perturbations" "rounds/01/model.h5"
before=$(cksum < h.sower/rounds/01/model.h5)
rm h.sower/rounds/01/model.h5
expect 0 "$SOWER" fit h.yaml --threads 1 --quiet
equal "$(cksum < h.sower/rounds/01/model.h5)" "$before" "the model fitted again"
expect 0 "$SOWER" predict h.yaml --quiet --to kept.h5ad
head -c 900 h.sower/rounds/01/model.h5 > part && cat part > h.sower/rounds/01/model.h5
expect 0 "$SOWER" fit h.yaml
says "trained again"
expect 0 "$SOWER" predict h.yaml --quiet --to again.h5ad
same kept.h5ad again.h5ad
nothing_half_written h.sower

# a kept model of something else: what differs is named, and the same numbers come of it
expect 0 "$SOWER" fit h.yaml --set model.components=5
says "h.sower/rounds/01/model.h5: this model was learned from model.components 6 (here 5); it is trained again"
expect 0 "$SOWER" fit h.yaml --quiet
equal "$(cksum < h.sower/rounds/01/model.h5)" "$before" "the model after another was kept in its place"
sed 's/name: h/name: g/; s/genes: 40/genes: 44/; s/prior_dims: 6/prior_dims: 5/' h.yaml > g.yaml
expect 0 "$SOWER" run g.yaml --quiet
cp g.sower/rounds/01/model.h5 h.sower/rounds/01/model.h5
expect 0 "$SOWER" fit h.yaml
says "warning: ./h.sower/rounds/01/model.h5: this model was learned from 4 genes that are not here (G0041, G0042, G0043, G0044); prior 'simulated' with 5 columns (here 6 columns); " "oracle.genes 44 (here 40); oracle.prior_dims 5 (here 6)"
lines_said 1
equal "$(cksum < h.sower/rounds/01/model.h5)" "$before" "the model after that of another campaign"
cp h.sower/rounds/00/model.h5 h.sower/rounds/01/model.h5 # fewer results are how a campaign goes on: said, and no warning
expect 0 "$SOWER" fit h.yaml
says "./h.sower/rounds/01/model.h5: this model was learned from context 'C1' with 10 measured (here 14); it is trained again"
grep -q warning "$scratch/err" && fail "a warning of fewer results"
expect 0 "$SOWER" fit h.yaml
lines_said 0

# the published network takes longer than programs, and check says so before it does
expect 0 "$SOWER" check h.yaml --json
quick=$(json out effort.seconds_at_most)
expect 0 "$SOWER" check h.yaml --json --set model.mode=reference
[ "${quick%.*}" -lt 60 ] && [ "$(json out effort.seconds_at_most | cut -d. -f1)" -gt 1000 ] || fail "check reckons with $quick s of programs and $(json out effort.seconds_at_most) s of the published network"

expect 2 "$SOWER" check h.yaml --set oracle.contexts=1
says "carries responses over from other contexts" "role: reference"
expect 2 "$SOWER" check h.yaml --set model.mode=reference --set model.hypermap.fusion=gated
says "model.hypermap.fusion is not as published"
expect 2 "$SOWER" check h.yaml --set model.hypermap.fusion=gate
says "did you mean 'gated'"
expect 1 "$SOWER" run h.yaml --quiet --out bad --set model.hypermap.form=network --set model.hypermap.steps=2 --set model.hypermap.adapt_rate=100000 --set model.stack=false
says "adapt_rate"

# programs know how sure they are, and a strategy that asks for it gets it (ucb, ei and thompson are of scalars); the network does not, and says so
for threads in 1 2; do
    expect 0 "$SOWER" run h.yaml --quiet --out "threads-$threads" --threads $threads --set acquisition.strategy=max-variance
done
equal "$(wc -l < threads-1/rounds/01/batch.csv)" 5 "lines of a header and four picks"
same threads-1/rounds/01/batch.csv threads-2/rounds/01/batch.csv
expect 2 "$SOWER" check h.yaml --set acquisition.strategy=max-variance --set model.hypermap.form=network
says "needs a model with predictive variances" "form: network" "model.hypermap.form: programs"
expect 2 "$SOWER" check h.yaml --set acquisition.strategy=max-variance --set model.mode=reference
says "mode: reference"
