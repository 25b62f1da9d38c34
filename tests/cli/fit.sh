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
