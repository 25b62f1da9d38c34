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
