# kill -9 while a campaign runs, at a dozen points spread over its whole life and always the same ones; the second run ends with the bytes of an
# undisturbed one. kill_everywhere.sh does it at every point.
. "$(dirname "$0")/lib.sh"
every=${EVERY:-}
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # LeakSanitizer does not work on a traced process
simulated
expect 0 "$SOWER" run sim.yaml --out undisturbed --threads 1
wanted=$(results_of undisturbed)
"$TOOLS/kill_at" 0 "$SOWER" run sim.yaml --out counted --threads 1 --quiet > out 2> err
[ $? = 77 ] && skip "processes cannot be traced here"
total=$(tail -n 1 out)
[ "$total" -gt 100 ] || fail "only $total points to stop at were seen"
start=1 step=$((total / 12))
# the many opens of the start, before the campaign's folder exists, need only a few points
[ -n "$every" ] && step=1
n=$start killed=0
while [ "$n" -le "$total" ]; do
    "$TOOLS/kill_at" "$n" "$SOWER" run sim.yaml --out "k" --threads 1 --quiet > out 2> err
    code=$?
    if [ "$code" = 137 ]; then
        killed=$((killed + 1))
        if [ -f k/campaign.db ] && [ -z "$every" ]; then # what is there can be read at once
            "$SOWER" status sim.yaml --out k > out 2> err || [ "$(grep -c 'no campaign' err)" = 1 ] || fail "status after a kill at point $n"
        fi
        "$SOWER" run sim.yaml --out k --threads 1 --quiet > out 2> err
        code=$?
        # killed after the last event: nothing is left to do
        [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code of the run after a kill at point $n"
    fi
    equal "$(results_of k)" "$wanted" "results after a kill at point $n of $total"
    [ -s k/report.html ] || fail "no report after a kill at point $n"
    nothing_half_written k
    rm -rf k
    n=$((n + step))
done
[ "$killed" -ge 10 ] || fail "only $killed kills took place"

# killed again and again while it goes on: each time a little later
n=$((total / 4))
tries=0
while :; do
    "$TOOLS/kill_at" "$n" "$SOWER" run sim.yaml --out again --threads 1 --quiet > out 2> err
    [ $? = 137 ] || break
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || fail "the campaign never ends"
    n=$((n + total / 12))
done
equal "$(results_of again)" "$wanted" "results after $tries kills of one campaign"
nothing_half_written again

# a lab's results: recorded once, however often the command is killed and repeated
at_lab
expect 0 "$SOWER" plan lab.yaml --quiet
measured_rows lab.sower/rounds/00/batch.csv > results.csv
rm -rf counted
expect 0 "$SOWER" plan lab.yaml --out start --quiet
cp -r start counted
expect 0 "$SOWER" record lab.yaml results.csv --quiet
recorded=$(cat lab.sower/metrics.csv lab.sower/rounds/00/*.csv | cksum)
"$TOOLS/kill_at" 0 "$SOWER" record lab.yaml results.csv --out counted --quiet > out 2> err || fail "record under observation"
total=$(tail -n 1 out)
n=1
while [ "$n" -le "$total" ]; do
    rm -rf k
    cp -r start k
    "$TOOLS/kill_at" "$n" "$SOWER" record lab.yaml results.csv --out k --quiet > out 2> err
    [ $? = 137 ] || break
    "$SOWER" record lab.yaml results.csv --out k --quiet > out 2> err
    code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code of the record after a kill at point $n"
    equal "$(cat k/metrics.csv k/rounds/00/*.csv | cksum)" "$recorded" "results recorded after a kill at point $n of $total"
    [ -s k/report.html ] || fail "no report after a kill at point $n"
    nothing_half_written k
    n=$((n + step))
done

# with two threads and a clock instead of a count
for delay in 0.01 0.03 0.06 0.1 0.15 0.2; do
    "$SOWER" run sim.yaml --out clock --threads 2 --quiet > out 2> err &
    pid=$!
    sleep "$delay"
    kill -9 "$pid" 2> /dev/null
    wait "$pid" 2> /dev/null
    "$SOWER" run sim.yaml --out clock --threads 1 --quiet > out 2> err
    code=$?
    [ "$code" = 0 ] || [ "$code" = 3 ] || fail "exit code $code of the run after a kill at $delay s"
    equal "$(results_of clock)" "$wanted" "results after a kill at $delay s"
    nothing_half_written clock
    rm -rf clock
done
exit 0
