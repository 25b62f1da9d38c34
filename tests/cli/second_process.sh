# Two processes on one campaign: the second is told who holds it; status and report work meanwhile.
. "$(dirname "$0")/lib.sh"
simulated
sed -i 's/perturbations: 90/perturbations: 700/; s/initial: {size: 12/initial: {size: 150/; s/batches: \[8, 8\]/batches: [50, 50, 50, 50, 50, 50]/' sim.yaml
"$SOWER" run sim.yaml > first.out 2> first.err &
pid=$!
n=0
until [ -e sim.sower/rounds/00/metrics.json ]; do
    n=$((n + 1))
    [ "$n" -lt 3000 ] || fail "the campaign does not start"
    sleep 0.01
done
kill -STOP "$pid" # it holds the campaign for as long as this takes
trap 'kill -9 $pid 2>/dev/null; rm -rf "$scratch"' EXIT
for command in run plan; do
    expect 1 "$SOWER" $command sim.yaml
    says "process $pid on $(uname -n) is working on the campaign" "sim.sower"
    lines_said 1
done
expect 0 "$SOWER" status sim.yaml
prints "sim:" "round"
expect 0 "$SOWER" status sim.yaml --json
json out state > /dev/null
expect 0 "$SOWER" report sim.yaml
expect 0 "$SOWER" check sim.yaml
# another campaign of the same file is nobody's
expect 0 "$SOWER" run sim.yaml --out other --set 'rounds.batches=[]'
kill -CONT "$pid"
wait "$pid"
equal "$?" 0 "exit code of the first process"
expect 0 "$SOWER" run sim.yaml --out alone
equal "$(results_of sim.sower)" "$(results_of alone)" "results of the disturbed campaign"
# the holder died: nobody holds it
expect 3 "$SOWER" run sim.yaml
exit 0
