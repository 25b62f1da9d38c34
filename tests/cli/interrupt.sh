# Ctrl-C: exit 130, one line, and the next run goes on to the same bytes.
. "$(dirname "$0")/lib.sh"
simulated
# long enough to be caught in the middle, whatever the machine
sed -i 's/perturbations: 90/perturbations: 700/; s/initial: {size: 12/initial: {size: 150/; s/batches: \[8, 8\]/batches: [50, 50, 50, 50, 50, 50]/' sim.yaml
interrupted() { # interrupted SIGNAL: start, wait until the first round is planned, send, and collect
    "$SOWER" run sim.yaml --out "$1" --quiet > out 2> err &
    pid=$!
    n=0
    until [ -e "$1/rounds/00/batch.csv" ]; do
        n=$((n + 1))
        [ "$n" -lt 3000 ] || fail "the campaign does not start"
        sleep 0.01
    done
    kill -s "$1" "$pid"
    wait "$pid"
    code=$?
}
for signal in TERM INT; do
    # a shell without job control starts background jobs with SIGINT ignored; the program asks for it all the same
    interrupted $signal
    [ "$code" = 0 ] && fail "the campaign ended before the signal came"
    equal "$code" 130 "exit code after SIG$signal"
    says "interrupted; the campaign is safe"
    lines_said 1
    [ -s out ] && fail "something on stdout after SIG$signal"
    nothing_half_written $signal
    [ -e "$signal/rounds/06/metrics.json" ] && fail "the campaign was finished before SIG$signal"
done
expect 0 "$SOWER" run sim.yaml --out INT
expect 0 "$SOWER" run sim.yaml --out undisturbed
equal "$(results_of INT)" "$(results_of undisturbed)" "results after Ctrl-C and a second run"
exit 0
