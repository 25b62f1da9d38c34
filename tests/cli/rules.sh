# Include, exclude, controls, quotas and the held-out list act inside the choice.
. "$(dirname "$0")/lib.sh"
replayed
in_batch() { # in_batch FOLDER ROUND PATTERN: how many picks of the round match
    picks "$1/rounds/$2/batch.csv" | grep -cE "$3"
}
anywhere() {
    cat "$1"/rounds/*/batch.csv | cut -d, -f2 | grep -cE "$2"
}
first12='^G0(0[1-9]|1[0-2])$'

# include: in round 0; exclude by name and by file: never, with the reason in the report
printf 'G030\nG031\nNOT_IN_THIS_SCREEN\n' > no.txt
expect 0 "$SOWER" run rep.yaml --set 'constraints.include=[G101, G077]' \
    --set 'constraints.exclude=[{names: [G050], reason: "too few cells"}, {file: no.txt, reason: essential}]' --set 'rounds.batches=[40, 20]'
equal "$(in_batch rep.sower 00 '^(G101|G077)$')" 2 "included perturbations in round 0"
equal "$(grep -c 'in constraints.include; ' rep.sower/rounds/00/batch.csv)" 2 "reasons that name the rule"
equal "$(anywhere rep.sower '^(G050|G030|G031)$')" 0 "excluded perturbations that were picked"
grep -q 'too few cells' rep.sower/report.html || fail "the report does not give the reason of the exclusion"
equal "$(metric rep.sower 0 pool_size)" "$(awk 'BEGIN { n = 117; h = int(0.2 * n + 0.5); print n - h }')" "pool without the excluded"

# positive controls: on the order sheet of every round, never candidates
expect 0 "$SOWER" run rep.yaml --out controls --set 'constraints.controls=[G003]' --set 'rounds.batches=[30, 30]'
equal "$(anywhere controls '^G003$')" 0 "a positive control was picked"
for r in 00 01 02; do
    grep -q 'G003,.*positive control' "controls/rounds/$r/order.csv" || fail "round $r has no positive control on its order sheet"
done

# held out by a list: exactly those, and by a count
printf '%s\n' G002 G004 G006 G008 > held.txt
expect 0 "$SOWER" run rep.yaml --out listed --set 'oracle.held_out={list: held.txt}' --set 'rounds.batches=[60, 32]'
equal "$(anywhere listed '^G00[2468]$')" 0 "held-out perturbations that were picked"
equal "$(anywhere listed '^G')" 116 "picks when the whole pool is measured"
equal "$(metric listed 2 hits_recall)" 1 "recall when the whole pool is measured"
expect 0 "$SOWER" check rep.yaml --set 'oracle.held_out={count: 7}' --json
equal "$(json out held_out)" 7 "held-out count"
equal "$(json out pool_size)" 113 "pool beside it"

# a guide library that lacks what was picked: said when it is ordered
printf 'gene,id,seq\nG101,g1,ACGT\n' > guides.csv
expect 0 "$SOWER" plan rep.yaml --out guides --set 'constraints.include=[G101, G077]' --set 'rounds.initial.size=2' \
    --set 'design.guides={file: guides.csv, target: gene, id: [id], sequence: [seq]}'
says "guides.csv has no guide for G077: no sequence in order.csv"

# quotas: a gene set and a list, at most and at least, a batch and a campaign
for strategy in greedy kmeans random ucb lookahead; do
    expect 0 "$SOWER" run rep.yaml --out "most-$strategy" --set "acquisition.strategy=$strategy" \
        --set 'constraints.quota=[{prior: sets, set: first, at_most: 1}, {names: [G020, G040, G060, G080], at_least: 1}]' --set oracle.held_out.fraction=0.05
    for r in 00 01 02; do
        n=$(in_batch "most-$strategy" $r "$first12")
        [ "$n" -le 1 ] || fail "$strategy, round $r: $n of the set instead of at most 1"
        n=$(in_batch "most-$strategy" $r '^G0[2468]0$')
        [ "$n" -ge 1 ] || fail "$strategy, round $r: none of the list instead of at least 1"
    done
done
expect 0 "$SOWER" run rep.yaml --out whole \
    --set 'constraints.quota=[{prior: sets, set: first, at_most: 2, per: campaign}, {prior: sets, set: set 3, at_least: 8, per: campaign}]' \
    --set oracle.held_out.fraction=0.05 --set 'rounds.batches=[20, 20]'
grep -q 'at least 8 of sets / set 3 a campaign<' whole/report.html || fail "the report does not name the quota"
n=$(anywhere whole "$first12")
[ "$n" -le 2 ] || fail "campaign quota: $n of the set instead of at most 2"
n=$(anywhere whole '^G[01][0-9]3$')
[ "$n" -ge 8 ] || fail "campaign quota: $n instead of at least 8"

# require_prior: genes without a row (every 20th has none in layout) are left out and named
expect 0 "$SOWER" run rep.yaml --out needed --set constraints.require_prior=true --set 'model.prior=[layout]' --set 'rounds.batches=[40, 27]'
equal "$(anywhere needed '^(G020|G040|G060|G080|G100|G120)$')" 0 "genes without a prior that were picked"
expect 0 "$SOWER" check rep.yaml --set constraints.require_prior=true --set 'model.prior=[layout]'
prints "no prior" "G020"
exit 0
