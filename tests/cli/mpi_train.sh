# A training on ranks: the same model file, bit for bit, from 1, 2 and 3 ranks and 1 and 2 threads as from one process; a rank killed, or all of them stopped, and the rerun has the same.
. "$(dirname "$0")/lib.sh"
# Open MPI leaves memory of plugins that are unloaded at the end, which no suppression can name; leaks of our own are looked for by tests core/team and models/hypermap_learn
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
command -v mpirun > /dev/null || skip "no mpirun (apt-get install openmpi-bin)"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1
mpirun -n 2 true > out 2> err || skip "mpirun does not start processes here: $(head -n 1 err)"
network() { # network NAME STEPS: a campaign whose model is a network of 4 tasks a step
    cat << Y
sower: 1
name: $1
readout: {kind: cells}
oracle: {kind: generative, perturbations: 30, genes: 40, modules: 4, programs: 4, controls: 80, cells: 30, prior_dims: 6, contexts: 4, held_out: {count: 6}}
model: {kind: hypermap, iterations: 5, components: 6, hypermap: {form: network, rows: cells, steps: $2, batch: 40, inner_batches: 2, inner_steps: 2, latent: 8, hidden: 12, dropout: 0.1}}
rounds: {initial: {size: 10, strategy: random}, batches: [4]}
features: {min_cells_per_perturbation: 4}
evaluation: {de_genes: 10}
Y
}
network h 5 > h.yaml
said_once() { # said_once TEXT: ranks have one voice
    equal "$(grep -cF -- "$1" err)" 1 "times that '$1' was said"
}
ranks() { # ranks N COMMAND ARGUMENTS...
    n=$1
    shift
    mpirun -n "$n" "$SOWER" "$@"
}

# a build without MPI says so, once, and leaves nothing
ranks 2 run h.yaml --out probe --quiet > out 2> err
if grep -q 'built without MPI' err; then
    said_once "built without MPI"
    says "--threads"
    [ -e probe ] && fail "a campaign folder was left"
    expect 0 ranks 1 run h.yaml --out probe --quiet
    skip "sower was built without MPI: that ranks are refused was seen, the rest was not"
fi

# the same model and the same everything
expect 0 "$SOWER" run h.yaml --out alone --quiet --threads 1
wanted=$(results_of alone)
same_models() { # same_models FOLDER
    for round in 00 01; do
        same "alone/rounds/$round/model.h5" "$1/rounds/$round/model.h5"
    done
    equal "$(results_of "$1")" "$wanted" "results in $1"
    nothing_half_written "$1"
}
for both in "1 2" "2 1" "2 2" "3 1"; do # ranks and threads
    expect 0 ranks ${both% *} run h.yaml --out "r$both" --threads ${both#* }
    grep -q 'nothing to do' err && fail "ranks say that they had nothing to do"
    same_models "r$both"
done
expect 0 ranks 6 run h.yaml --out r6 --threads 1
same_models r6
said_once "warning: 4 of 6 ranks"
for set in method=reptile members=2; do
    expect 0 "$SOWER" run h.yaml --out "one-$set" --quiet --set "model.hypermap.$set" --set rounds.batches=[]
    expect 0 ranks 3 run h.yaml --out "three-$set" --quiet --set "model.hypermap.$set" --set rounds.batches=[]
    same "one-$set/rounds/00/model.h5" "three-$set/rounds/00/model.h5"
done

# plan, fit and predict train on ranks too
expect 0 ranks 2 plan h.yaml --out steps --quiet
expect 0 "$SOWER" run h.yaml --out steps --quiet --set model.hypermap.steps=5
rm steps/rounds/01/model.h5
expect 0 ranks 2 fit h.yaml --out steps --quiet
prints "hypermap (network" "rounds/01/model.h5"
same_models steps
rm steps/rounds/01/model.h5
expect 0 ranks 2 predict h.yaml --out steps --quiet --to ranks.h5ad
expect 0 "$SOWER" fit h.yaml --out steps --quiet
same_models steps
expect 0 "$SOWER" predict h.yaml --out steps --quiet --to alone.h5ad
same ranks.h5ad alone.h5ad

# what is not trained on ranks is said, and is the same
expect 0 ranks 3 fit h.yaml --out alone
said_once "warning: 2 of 3 ranks had nothing to do"
simulated
expect 0 "$SOWER" run sim.yaml --quiet --out gp-alone
expect 0 ranks 2 run sim.yaml --out gp
said_once "1 of 2 ranks had nothing to do"
equal "$(results_of gp)" "$(results_of gp-alone)" "results of a model that does not train on ranks"

# wrong input is said once, with its exit code
for command in "check h.yaml" "record h.yaml h.csv" "report h.yaml"; do
    expect 2 ranks 3 $command
    said_once "runs as one process"
done
expect 2 ranks 3 fit h.yaml --thread 2
said_once "unknown option '--thread'"
expect 2 ranks 3 fit none.yaml
said_once "none.yaml: no such file"
expect 2 ranks 2 run h.yaml --out bad --set model.hypermap.task=2
said_once "unknown key 'task'"
expect 1 ranks 3 run h.yaml --out bad --quiet --set model.hypermap.inner_rate=1000000 --set model.hypermap.steps=9
said_once "outer steps 1 to 5 are not finite (task 1 of 4"
nothing_half_written bad

# a rank is killed or asked to stop: all end; the rerun has the same, also with another number of ranks
steps=150
took=0
while [ $took -lt 5 ]; do # long enough to be caught, on this machine and in this build
    steps=$((steps * 2))
    network lost $steps > lost.yaml
    rm -rf calm
    began=$(date +%s)
    expect 0 "$SOWER" run lost.yaml --out calm --quiet --threads 1 --set rounds.batches=[]
    took=$(($(date +%s) - began))
done
killed=0
stop() { # stop SIGNAL WHICH DELAY: the process number WHICH of mpirun's, or mpirun itself (0), while a model is learned
    rm -rf lost
    timeout -k 5 300 mpirun -n 3 "$SOWER" run lost.yaml --out lost --threads 1 --set rounds.batches=[] > out 2> err & # mpirun has been seen to wait for ever for a rank that died while it started
    pid=$!
    for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -e lost/campaign.db ] && break
        sleep 0.1
    done
    sleep "$3"
    under=$(pgrep -P $pid mpirun || echo $pid)
    [ "$2" = 0 ] && victim=$under || victim=$(pgrep -f "$SOWER run lost.yaml --out lost" -P "$under" | sed -n "$2p")
    caught=0
    [ -n "$victim" ] && [ ! -e lost/rounds/00/model.h5 ] && kill "-$1" "$victim" && caught=1
    killed=$((killed + caught))
    wait $pid
    code=$?
    for wait in 1 2 3 4 5 6 7 8 9 10; do # mpirun may end before those it ended
        pgrep -f "$SOWER run lost.yaml --out lost" > /dev/null || break
        sleep 0.2
    done
}
finish() { # finish RANKS
    ranks "$1" run lost.yaml --out lost --quiet --set rounds.batches=[] > out 2> err
    code=$?
    [ $code = 0 ] || [ $code = 3 ] || fail "exit code $code of the rerun" # 3: all was measured before it was stopped; what was not learned and judged by then is now
    same calm/rounds/00/model.h5 lost/rounds/00/model.h5
    equal "$(results_of lost)" "$(results_of calm)" "results after a rank was stopped"
}
stop KILL 3 0.4
finish 2
stop TERM 1 0.5 # rank 0 alone is asked to stop: it dismisses the others, and what was learned is kept
if [ $caught = 1 ] && [ ! -e lost/rounds/00/model.h5 ]; then
    equal $code 130 "exit code of an interrupted training"
    says "interrupted; the campaign is safe"
    [ -e lost/rounds/00/model.part.h5 ] || fail "what was learned was not kept"
fi
finish 3
stop TERM 2 0.5 # a helper alone
[ $caught = 1 ] && [ ! -e lost/rounds/00/model.h5 ] && equal $code 130 "exit code when a helper is interrupted"
finish 2
stop INT 0 0.5 # Ctrl-C
finish 2
[ $killed -gt 2 ] || note_skip "only $killed of 4 trainings were caught alive"
exit 0
