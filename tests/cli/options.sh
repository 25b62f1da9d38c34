# The command line: help that is true, mistakes with the nearest spelling, JSON that parses.
. "$(dirname "$0")/lib.sh"
simulated
commands="init check plan record status run report inspect version"

expect 0 "$SOWER" --help
for c in $commands; do
    prints "  $c "
done
prints "Exit codes" "130"
expect 2 "$SOWER"
for c in $commands; do
    expect 0 "$SOWER" "$c" --help
    prints "usage: sower $c" "options"
    cp out long
    expect 0 "$SOWER" "$c" -h
    same out long
    expect 0 "$SOWER" help "$c"
    same out long
done
expect 0 "$SOWER" version
prints "sower "
expect 0 "$SOWER" --version
expect 0 "$SOWER" version --json
json out version > /dev/null
json out git > /dev/null

refused "unknown command 'pln'" "did you mean 'plan'" -- "$SOWER" pln
refused "unknown command 'frobnicate'" -- "$SOWER" frobnicate
refused "unknown command 'pln'" -- "$SOWER" help pln
refused "unknown option '--thraeds'" "did you mean '--threads'" -- "$SOWER" run sim.yaml --thraeds 2
refused "unknown option '--complete'" -- "$SOWER" run sim.yaml --complete
refused "--threads" "0" -- "$SOWER" run sim.yaml --threads 0
refused "--threads" "two" -- "$SOWER" run sim.yaml --threads=two
refused "--threads needs a value" -- "$SOWER" run sim.yaml --threads
refused "--json takes no value" -- "$SOWER" run sim.yaml --json=yes
refused "unexpected 'b.yaml'" -- "$SOWER" run sim.yaml b.yaml
refused "--list" "nothing" -- "$SOWER" check --list nothing
refused "missing" "sower inspect" -- "$SOWER" inspect

expect 0 "$SOWER" check --list strategies
prints random kmeans core-set max-variance greedy ucb ei thompson reference
expect 0 "$SOWER" check --list models
prints train-mean two-way linear knn gp
expect 0 "$SOWER" check --list oracles
prints replay generative lab
expect 0 "$SOWER" check --list keys
prints rounds.initial.size acquisition.strategy
[ -f "$source_dir/docs/config.md" ] && same out "$source_dir/docs/config.md"

# --set and --seed win over the file, in order; --set reaches everything; --out is where it goes
expect 0 "$SOWER" run sim.yaml --set name=other --set rounds.initial.size=5 --set=rounds.initial.size=7 --set 'rounds.batches=[3]' --seed 4 --seed=9 --out there
equal "$(sed 1d there/rounds/00/batch.csv | wc -l)" 7 "initial size by --set"
equal "$(sed 1d there/rounds/01/batch.csv | wc -l)" 3 "batch by --set"
equal "$(json there/rounds/00/plan.json seed)" 9 "the last --seed"
[ -e sim.sower ] && fail "--out was not obeyed"
expect 0 "$SOWER" run sim.yaml --set name=other --set 'rounds.batches=[]'
[ -e other.sower/metrics.csv ] || fail "--set name= does not name the folder"
# beside the YAML, not where one stands
mkdir sub
cp sim.yaml sub
expect 0 "$SOWER" plan sub/sim.yaml
[ -e sub/sim.sower/rounds/00/batch.csv ] || fail "the folder is not beside the YAML"

# JSON everywhere a script would read it
expect 0 "$SOWER" check sim.yaml --json
equal "$(json out pool_size)" 72 "pool_size of check"
json out bill.total > /dev/null
json out effort.memory_mb > /dev/null
expect 0 "$SOWER" plan sim.yaml --out j --json
equal "$(json out next.picks.#)" 12 "picks in the JSON of plan"
json out next.picks.0.reason > /dev/null
expect 0 "$SOWER" status sim.yaml --out j --json
equal "$(json out state)" planned "state"
expect 0 "$SOWER" run sim.yaml --out j --json
equal "$(json out state)" finished "state"
equal "$(json out status.measured)" 28 "measured" 
expect 3 "$SOWER" run sim.yaml --out j --json
equal "$(json out state)" finished "state"
expect 0 "$SOWER" status sim.yaml --out j
prints "finished" "round  strategy"

# --quiet: nothing on stderr when all is well; no bar where there is no terminal
expect 0 "$SOWER" run sim.yaml --out q --quiet
lines_said 0
expect 0 "$SOWER" check sim.yaml
grep -q "$(printf '\r')" err && fail "a progress bar in a file"

# check writes nothing at all
before=$(find . | sort | cksum)
"$SOWER" check sim.yaml > /dev/null || fail check
equal "$(find . | sort | cksum)" "$before" "files after check"
expect 1 "$SOWER" status sim.yaml --out never
expect 1 "$SOWER" report sim.yaml --out never
[ -e never ] && fail "status or report made a folder"
exit 0
