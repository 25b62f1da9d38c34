# sower simulate from outside: the table, the same bytes for any number of workers and after kill -9 of a worker and of everything, parts of a job array, and every bad input.
. "$(dirname "$0")/lib.sh"

base() {
    cat > base.yaml <<YAML
sower: 1
name: base
oracle: {kind: generative, perturbations: 90, modules: 9, prior_dims: 6, held_out: {fraction: 0.2}}
objective: {kind: hits, top: 0.1}
model: {kind: gp, iterations: 15}
acquisition: {strategy: random}
rounds: {initial: {size: 12, strategy: random}, batches: [8, 8]}
costs: {currency: EUR, per_round: 2000, per_cell: 0.086, weeks_per_round: 4}
YAML
}
sweep() { # sweep FILE LINE...
    file=$1
    shift
    printf 'sower: 1\nsweep: %s\ncampaign: base.yaml\n' "$(basename "$file" .yaml)" > "$file"
    printf '%s\n' "$@" >> "$file"
}
compared() { # compared FOLDER: everything that two runs must share
    (cd "$1" && cat jobs/*.json summary.csv curves.csv summary.json allocation.csv allocation.html && ls jobs) | cksum
}
clean() { # nothing is left over
    nothing_half_written "$1"
    [ -e "$1/scratch" ] && fail "a scratch folder is left in $1"
    return 0
}
base
sweep s.yaml 'seeds: 3' 'strategies: [random, greedy, ucb]'

# ---- what it says and writes
expect 0 "$SOWER" simulate s.yaml --jobs 2
prints "hits_recall (higher is better)" "spearman (higher is better)" "greedy" "detectable" ./s.sweep/summary.csv ./s.sweep/curves.csv ./s.sweep/summary.json
equal "$(head -n 1 s.sweep/summary.csv)" arm,metric,statistic,value,low,high,n "head of summary.csv"
equal "$(head -n 1 s.sweep/curves.csv)" arm,metric,round,perturbations,cost,weeks,value,low,high,n "head of curves.csv"
equal "$(find s.sweep/jobs -name '*.json' | wc -l)" 9 "result files"
equal "$(sed 1d s.sweep/curves.csv | grep -c '^ucb,rmse,')" 3 "rounds of a curve"
equal "$(json s.sweep/summary.json baseline)" random "baseline"
equal "$(grep -c '^random,.*_difference' s.sweep/summary.csv)" 0 "differences of the baseline to itself"
clean s.sweep
wanted=$(compared s.sweep)
for n in 1 3; do
    expect 0 "$SOWER" simulate s.yaml --jobs $n --out "w$n" --json
    equal "$(json out played)" 9 "jobs played by $n workers"
    equal "$(compared "w$n")" "$wanted" "results of $n workers"
done
expect 0 "$SOWER" simulate s.yaml --json
equal "$(json out played)" 0 "jobs of a sweep that is done"
expect 0 "$SOWER" simulate s.yaml --seed 2 --out one --json
equal "$(json out played)" 3 "jobs of --seed 2"
expect 0 "$SOWER" simulate s.yaml --set seeds=2 --set set.model.iterations=5 --out few --json
equal "$(json out played)" 6 "jobs of --set seeds=2"
[ "$(cat one/jobs/*.json | grep -c '"iterations": 15')" = 3 ] && [ "$(cat few/jobs/*.json | grep -c '"iterations": 5')" = 6 ] || fail "--set set.model.iterations had no effect"

# ---- killed
slow() { # a sweep whose jobs take a while
    sweep "$1" 'seeds: 3' 'strategies: [random, ucb]' 'set: {oracle.perturbations: 400, model.iterations: 40, rounds.batches: [40, 40, 40]}'
}
slow k.yaml
expect 0 "$SOWER" simulate k.yaml --jobs 2 --out undisturbed --quiet
wanted=$(compared undisturbed)
workers() { # those of process $1
    for p in /proc/[0-9]*; do
        { read -r stat < "$p/stat"; } 2> /dev/null || continue
        rest=${stat##*) }
        set -- "$1" $rest
        [ "$3" = "$1" ] && echo "${p#/proc/}"
    done
}
killed=0
for delay in 0.1 0.3 0.5; do # a worker dies: its job is taken up by another, in the same run
    rm -rf k
    "$SOWER" simulate k.yaml --jobs 2 --out k > out 2> err &
    pid=$!
    sleep $delay
    victim=
    for _ in $(seq 200); do # until there is one, or all is over
        victim=$(workers $pid | head -n 1)
        [ -z "$victim" ] && kill -0 $pid 2> /dev/null || break
        sleep 0.05
    done
    [ -n "$victim" ] && kill -9 "$victim" 2> /dev/null && killed=$((killed + 1))
    wait $pid || fail "exit code $? after a worker was killed at $delay s"
    equal "$(compared k)" "$wanted" "results after a worker was killed at $delay s"
    clean k
done
[ -d /proc/self ] && [ $killed -eq 0 ] && fail "no worker was killed"
answers() { # waits until process $1 catches SIGTERM: a loaded machine takes its time to start it
    for _ in $(seq 500); do
        mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null)
        [ -n "$mask" ] && [ $((0x$mask & 0x4000)) = 0 ] || break
        sleep 0.02
    done
}
for signal in KILL INT TERM; do # everything ends, and the next run goes on
    rm -rf k
    for delay in 0.2 0.4 0.8; do
        "$SOWER" simulate k.yaml --jobs 2 --out k --quiet > out 2> err &
        pid=$!
        sleep $delay
        answers $pid
        kill -$signal $pid 2> /dev/null
        wait $pid 2> /dev/null
        code=$?
        case "$signal:$code" in
        KILL:137 | *:0) ;;
        INT:130 | TERM:130) says "run the same command again" ;;
        *) fail "exit code $code after SIG$signal at $delay s" ;;
        esac
        sleep 0.05 # the kernel ends the workers of a process that was killed
    done
    expect 0 "$SOWER" simulate k.yaml --jobs 2 --out k --quiet
    equal "$(compared k)" "$wanted" "results after SIG$signal"
    clean k
done

# two processes on one folder share the work, or wait for each other's last jobs; a scratch folder that is damaged is begun anew
rm -rf k
"$SOWER" simulate k.yaml --jobs 1 --out k --quiet > /dev/null 2>&1 &
pid=$!
"$SOWER" simulate k.yaml --jobs 1 --out k --quiet > out 2> err || says "are being played by another process; run the same command again"
wait $pid || [ $? = 1 ] || fail "the first of two processes"
expect 0 "$SOWER" simulate k.yaml --out k --quiet
equal "$(compared k)" "$wanted" "results of two processes"
rm -rf k
"$SOWER" simulate k.yaml --jobs 2 --out k --quiet > /dev/null 2>&1 &
pid=$!
sleep 0.4
kill -9 $pid 2> /dev/null
wait $pid 2> /dev/null
for db in k/scratch/*/campaign.db; do
    [ -f "$db" ] && head -c 3000 "$SOWER" > "$db"
done
expect 0 "$SOWER" simulate k.yaml --jobs 2 --out k --quiet
equal "$(compared k)" "$wanted" "results after scratch folders were damaged"
clean k

# ---- a job array: the script as it is, its tasks in any order, one of them lost on the way
expect 0 "$SOWER" simulate k.yaml --out array --emit slurm --jobs 4
script=$(cat out)
grep -q '^#SBATCH --array=1-4$' "$script" || fail "no array in $script"
[ "$(find array/jobs -type f | wc -l)" -eq 0 ] || fail "--emit played something"
for task in 3 1 4 2; do
    (cd / && SLURM_ARRAY_TASK_ID=$task SLURM_CPUS_PER_TASK=1 timeout -s KILL "$([ $task = 1 ] && echo 0.3 || echo 300)" sh "$scratch/$script" > /dev/null 2> "$scratch/err")
    code=$?
    [ $code = 0 ] || [ $task = 1 ] || fail "exit code $code of task $task"
done
[ -e array/summary.csv ] && fail "a part compared"
expect 0 "$SOWER" simulate k.yaml --out array --quiet
equal "$(compared array | cut -d' ' -f1)" "$(compared undisturbed | cut -d' ' -f1)" "results of an array"

# ---- bad input
nothing() { # no folder of a sweep
    for d in ./bad*.sweep; do
        [ -e "$d" ] && fail "a folder was left: $d"
    done
    return 0
}
wrong() { # wrong TEXT... -- LINE...: exit 2, every TEXT on stderr, no folder
    words=$(mktemp "$scratch/words-XXXXXX")
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >> "$words"
        shift
    done
    shift
    sweep bad.yaml "$@"
    expect 2 "$SOWER" simulate bad.yaml
    while IFS= read -r text; do
        says "$text"
    done < "$words"
    rm -f "$words"
    [ -s out ] && fail "something on stdout"
    nothing
}
wrong "bad.yaml:4:1: unknown key 'sedes' in the sweep file; did you mean 'seeds'?" "key 'seeds' is missing" -- 'sedes: 3'
wrong "seeds: a sweep has 1 to 1000000 seeds, not 0" -- 'seeds: 0'
wrong "seeds must not be empty" -- 'seeds: []'
wrong "seeds: 3 is given twice" -- 'seeds: [3, 4, 3]'
wrong "bad.yaml:5:22: unknown strategy 'greedie' in acquisition; did you mean 'greedy'?" "(arm 'greedie')" -- 'seeds: 2' 'strategies: [random, greedie]'
wrong "bad.yaml:5:36: unknown key 'iteratons' in model; did you mean 'iterations'?" "(arm 'x')" -- 'seeds: 2' 'arms: {y: {}, x: {model.iteratons: 3}}'
wrong "bad.yaml:6:19: unknown kind 'gpp' in model" "(arm 'random/gpp' and 1 more)" "unknown strategy 'greedie'" -- 'seeds: 2' 'strategies: [random, greedie]' 'models: [gp, knn, gpp]'
wrong "bad.yaml:5:14: model 'morph' learns from single cells" "(arm 'morph')" -- 'seeds: 2' 'models: [gp, morph]'
wrong "acquisition.strategy 'thompson' needs joint draws" "(arm 'knn')" -- 'seeds: 2' 'models: [gp, knn]' 'set: {acquisition.strategy: thompson}'
wrong "strategy 'ucb' looks for hits" "(arm 'ucb')" -- 'seeds: 2' 'strategies: [random, ucb]' 'set: {objective: {kind: learn}}'
wrong "round 1 asks for 60 perturbations, but of a pool of 72 only 12 are left by then" "(arm 'big')" -- 'seeds: 2' 'allocations: {big: {initial: 60, batches: [60]}, ok: {initial: 10}}'
wrong "allocations.none.initial must be a whole number >= 1" -- 'seeds: 2' 'allocations: {none: {initial: 0}}'
wrong "unknown key 'initail' in allocations.a" "key 'initial' is missing in allocations.a" -- 'seeds: 2' 'allocations: {a: {initail: 3}}'
wrong "has a column of contexts to choose from" -- 'seeds: 2' 'allocations: {a: {initial: 3, contexts: [x]}}'
wrong "arms.a sets acquisition.strategy, and so does the axis strategies" -- 'seeds: 2' 'strategies: [random, ucb]' 'arms: {a: {acquisition.strategy: ucb}}'
wrong "arms.a sets seed, which \`seeds\` does" -- 'seeds: 2' 'arms: {a: {seed: 3}, b: {}}'
wrong "'random' is given twice" -- 'seeds: 2' 'strategies: [random, random]'
wrong "arms 'a' and 'b' are the same campaign" -- 'seeds: 2' 'arms: {a: {acquisition.strategy: random}, b: {}}'
wrong "baseline 'rondom' is no arm; did you mean 'random'?" -- 'seeds: 2' 'strategies: [random, ucb]' 'baseline: rondom'
wrong "metrics: unknown 'hit_recall'; did you mean 'hits_recall'?" -- 'seeds: 2' 'metrics: [hit_recall]'
wrong "'mmd_de' cannot compare these arms: this readout does not have it" -- 'seeds: 2' 'metrics: [mmd_de]'
wrong "held-out perturbations" -- 'seeds: 2' 'metrics: [spearman]' 'set: {oracle.held_out: {count: 0, fraction: null}}'
wrong "stop.after must be a whole number >= 3" -- 'seeds: 9' 'stop: {after: 1}'
sweep bad.yaml 'seeds: 2'
sed -i 's/base.yaml/gone.yaml/' bad.yaml
expect 2 "$SOWER" simulate bad.yaml
says "gone.yaml: no such file"
expect 2 "$SOWER" simulate nowhere.yaml
says "nowhere.yaml: no such file; docs/simulate.md shows one"
at_lab base.yaml
sweep bad.yaml 'seeds: 2'
expect 2 "$SOWER" simulate bad.yaml
says "with oracle kind lab people measure; a sweep needs replay or generative"
nothing
base
for option in "--part 0/3" "--part 4/3" "--part 1" "--emit pbs" "--emit slurm --part 1/2" "--jobs 0" "--jobs 5000"; do
    # shellcheck disable=SC2086
    expect 2 "$SOWER" simulate s.yaml $option
    lines_said 1
done

# a folder of another sweep, of another version, a damaged mark; a damaged result is played again and said
sweep other.yaml 'seeds: 3' 'strategies: [random]'
expect 2 "$SOWER" simulate other.yaml --out s.sweep
says "is the folder of sweep 's', not of 'other': choose another with --out"
cp -r s.sweep old
sed -i 's/"format": 1/"format": 7/' old/sweep.json
expect 2 "$SOWER" simulate s.yaml --out old
says "holds results of format 7, and this sower writes format 1"
echo '{' > old/sweep.json
expect 2 "$SOWER" simulate s.yaml --out old
says "sweep.json is damaged"
result=$(find s.sweep/jobs -name '*.json' | sort | head -n 1)
cp "$result" kept
head -c 300 kept > "$result"
expect 0 "$SOWER" simulate s.yaml --jobs 1
says "$result is damaged" "is played again"
same kept "$result"
sed 's/"format": 1/"format": 2/' kept > "$result"
expect 0 "$SOWER" simulate s.yaml --jobs 1
says "was written by another version of sower"
same kept "$result"

# a full disk stops it with what is finished kept
(ulimit -f 8; "$SOWER" simulate s.yaml --jobs 2 --out full > out 2> err)
[ $? = 1 ] || fail "exit code with files that may not grow"
says "arm '" "seed "
expect 0 "$SOWER" simulate s.yaml --jobs 2 --out full
equal "$(cat full/summary.csv | cksum)" "$(cat s.sweep/summary.csv | cksum)" "results after a full disk"
exit 0
