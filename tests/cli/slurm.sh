# The script of --emit slurm as it is, on a Slurm of one node that is started for it: a job array, one of whose tasks is cancelled, handed in again until all is played, with the same files as of one process.
. "$(dirname "$0")/lib.sh"
for program in slurmctld slurmd sbatch squeue scancel sinfo; do
    command -v $program > /dev/null || PATH=$PATH:/usr/sbin command -v $program > /dev/null || skip "no $program (apt-get install slurmctld slurmd slurm-client)"
done
PATH=$PATH:/usr/sbin
node=$(hostname -s)
me=$(id -un)
# ports of its own, so that two checkouts can be tested at once
port=$((20000 + $$ % 20000 * 2))
mkdir state spool
cat > slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$node(127.0.0.1)
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/none
CredType=cred/none
SlurmctldPort=$port
SlurmdPort=$((port + 1))
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
SchedulerType=sched/builtin
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=60
CONF
export SLURM_CONF=$scratch/slurm.conf
slurmctld -D > slurmctld.log 2>&1 &
ctld=$!
sleep 1
slurmd -D > slurmd.log 2>&1 &
slurmd=$!
stop_slurm() {
    scancel --user="$me" 2> /dev/null
    kill $slurmd $ctld 2> /dev/null
    wait $slurmd $ctld 2> /dev/null
    chmod -R u+w "$scratch" 2> /dev/null
    rm -rf "$scratch"
}
trap stop_slurm EXIT
for _ in $(seq 60); do
    sinfo -h -o %T 2> /dev/null | grep -q idle && break
    sleep 0.5
done
sinfo -h -o %T 2> /dev/null | grep -q idle || skip "slurm does not start here: $(tail -n 1 slurmctld.log) $(tail -n 1 slurmd.log)"

cat > base.yaml <<YAML
sower: 1
name: base
oracle: {kind: generative, perturbations: 300, modules: 9, prior_dims: 6, held_out: {fraction: 0.2}}
objective: {kind: hits, top: 0.1}
model: {kind: gp, iterations: 25}
rounds: {initial: {size: 30, strategy: random}, batches: [30, 30]}
YAML
printf '%s\n' 'sower: 1' 'sweep: m' 'campaign: base.yaml' 'seeds: 4' 'strategies: [random, greedy, ucb]' > m.yaml
compared() {
    (cd "$1" && cat jobs/*.json summary.csv curves.csv summary.json && ls jobs) | cksum
}
queue_is_empty() {
    for _ in $(seq 600); do
        [ -z "$(squeue -h 2> /dev/null)" ] && return 0
        sleep 0.3
    done
    return 1
}
expect 0 "$SOWER" simulate m.yaml --jobs 1 --out alone --quiet
wanted=$(compared alone)
expect 0 "$SOWER" simulate m.yaml --out array --emit slurm --jobs 5
script=$(cat out)

# one task is lost: what it did not finish is missing, and nothing else
expect 0 sbatch --parsable "$script"
job=$(cat out)
expect 0 scancel "${job}_3"
queue_is_empty || fail "the array does not end: $(squeue)"
[ -e array/slurm-1.log ] || fail "no log of the first task"
played=$(find array/jobs -name '*.json' | wc -l)
[ "$played" -ge 9 ] && [ "$played" -le 12 ] || fail "$played jobs played by four or five of five tasks: $(cat array/slurm-*.log)"
[ -e array/summary.csv ] && fail "a part compared"

# handed in again, all of it
expect 0 sbatch --parsable "$script"
queue_is_empty || fail "the array does not end: $(squeue)"
equal "$(find array/jobs -name '*.json' | wc -l)" 12 "jobs of the array handed in again"
expect 0 "$SOWER" simulate m.yaml --out array --json
equal "$(json out played)" 0 "jobs played after the array"
equal "$(compared array)" "$wanted" "results of an array under Slurm"
