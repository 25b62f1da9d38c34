# sower simulate under mpirun: the same files for 1, 2 and 4 ranks as for one process; a rank killed on the way loses its job, and the rerun finishes.
. "$(dirname "$0")/lib.sh"
# Open MPI leaves memory of plugins that are unloaded at the end, which no suppression can name; leaks of our own are looked for by simulate.sh
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
cat > base.yaml <<YAML
sower: 1
name: base
oracle: {kind: generative, perturbations: 300, modules: 9, prior_dims: 6, held_out: {fraction: 0.2}}
objective: {kind: hits, top: 0.1}
model: {kind: gp, iterations: 25}
rounds: {initial: {size: 30, strategy: random}, batches: [30, 30]}
YAML
printf '%s\n' 'sower: 1' 'sweep: m' 'campaign: base.yaml' 'seeds: 4' 'strategies: [random, greedy, ucb]' > m.yaml
command -v mpirun > /dev/null || skip "no mpirun (apt-get install openmpi-bin)"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1
ranks() { # ranks N ARGUMENTS...
    n=$1
    shift
    mpirun -n "$n" "$SOWER" simulate "$@"
}
mpirun -n 2 true > out 2> err || skip "mpirun does not start processes here: $(head -n 1 err)"
ranks 2 m.yaml --out probe --set seeds=1 > out 2> err
if grep -q 'built without MPI' err; then
    skip "sower was built without MPI"
fi
compared() {
    (cd "$1" && cat jobs/*.json summary.csv curves.csv summary.json && ls jobs) | cksum
}
expect 0 "$SOWER" simulate m.yaml --jobs 1 --out alone --quiet
wanted=$(compared alone)
for n in 1 2 4; do
    expect 0 ranks $n m.yaml --out "r$n" --json
    equal "$(json out played)" 12 "jobs played by $n ranks"
    equal "$(compared "r$n")" "$wanted" "results of $n ranks"
    [ -e "r$n/scratch" ] && fail "a scratch folder is left"
done
expect 0 ranks 3 m.yaml --out r4 --json
equal "$(json out played)" 0 "jobs of a sweep that is done"

# wrong input is said once, and all ranks end
sed 's/random/rondom/' m.yaml > bad.yaml
ranks 3 bad.yaml --out bad > out 2> err
[ $? -ne 0 ] || fail "a wrong sweep succeeded"
equal "$(grep -c "unknown strategy 'rondom'" err)" 1 "times that the mistake was said"

# a rank is killed: mpirun ends the others; the rerun finishes with the same files
killed=0
for delay in 0.6 0.9 1.2; do
    rm -rf lost
    timeout -k 5 120 mpirun -n 3 "$SOWER" simulate m.yaml --out lost > out 2> err & # mpirun has been seen to wait for ever for a rank that died while it started
    pid=$!
    sleep $delay
    victim=$(pgrep -f "$SOWER simulate m.yaml --out lost" -P "$(pgrep -P $pid mpirun || echo $pid)" | tail -n 1)
    [ -n "$victim" ] && kill -9 "$victim" && killed=$((killed + 1))
    wait $pid
    pkill -9 -f "$SOWER simulate m.yaml --out lost" # those of an mpirun that was ended so
    expect 0 ranks 2 m.yaml --out lost --quiet
    equal "$(compared lost)" "$wanted" "results after a rank was killed at $delay s"
done
[ $killed -gt 0 ] || note_skip "no rank was caught alive"
exit 0
