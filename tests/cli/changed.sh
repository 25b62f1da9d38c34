# What may change under a campaign and what may not.
. "$(dirname "$0")/lib.sh"
replayed
expect 0 "$SOWER" run rep.yaml --set 'rounds.batches=[10]'
before=$(results_of rep.sower)
unchanged() {
    equal "$(results_of rep.sower)" "$before" "results"
}
for set in seed=6 readout.transform=log1p objective.top=0.2 oracle.held_out.fraction=0.1 'priors=[{name: layout, file: layout.csv, key: gene}]'; do
    for command in run plan status report; do
        expect 2 "$SOWER" $command rep.yaml --set "$set"
        says "'${set%%=*}' differs" "--out"
        lines_said 1
    done
    unchanged
done
expect 2 "$SOWER" run rep.yaml --seed 6
says "'seed' differs" "5" "6"

# a campaign may move: the same files from elsewhere go on
mkdir elsewhere
cp screen.csv elsewhere
expect 3 "$SOWER" run rep.yaml --set 'data.sources[0].file=elsewhere/screen.csv' --set 'rounds.batches=[10]'
unchanged

# the data: told, refused, and fine again when they are back
cp screen.csv keep.csv
sed -i '50s/,[^,]*,/,9.75,/' screen.csv
expect 2 "$SOWER" run rep.yaml
says "data files have changed" "--out"
lines_said 1
cp keep.csv screen.csv
cp layout.csv keep.csv
sed -i '50s/0\./0.1/' layout.csv
expect 2 "$SOWER" run rep.yaml
says "data files have changed"
cp keep.csv layout.csv
unchanged

# rounds already planned cannot be removed; more may be asked for, by another strategy, and the first ones stay
expect 2 "$SOWER" run rep.yaml --set 'rounds.batches=[]'
lines_said 1
unchanged
cp rep.sower/rounds/01/batch.csv kept.csv
expect 0 "$SOWER" run rep.yaml --set 'rounds.batches=[10, 5, 5]' --set acquisition.strategy=kmeans
same rep.sower/rounds/01/batch.csv kept.csv
equal "$(sed 1d rep.sower/rounds/03/batch.csv | cut -d, -f5 | sort -u)" kmeans "strategy of the new rounds"

# a candidate list of a lab may grow
at_lab
expect 0 "$SOWER" plan lab.yaml
cp lab.sower/rounds/00/batch.csv kept.csv
echo G081 >> candidates.csv
measured_rows kept.csv > results.csv
expect 0 "$SOWER" record lab.yaml results.csv
same lab.sower/rounds/00/batch.csv kept.csv
expect 0 "$SOWER" status lab.yaml --json
equal "$(json out pool_size)" 81 "pool after the list has grown"
# its priors may not change
cp layout.csv keep.csv
sed -i '50s/0\./0.1/' layout.csv
expect 2 "$SOWER" status lab.yaml
says "data files have changed"
cp keep.csv layout.csv

# an event changed by hand is noticed
if command -v sqlite3 > /dev/null; then
    sqlite3 rep.sower/campaign.db "DROP TRIGGER event_is_not_changed; UPDATE event SET payload = replace(payload, 'G0', 'G1') WHERE seq = 2"
    expect 2 "$SOWER" status rep.yaml --set 'rounds.batches=[10, 5, 5]' --set acquisition.strategy=kmeans
    says "campaign.db"
    lines_said 1
else
    note_skip "no sqlite3 program to change an event with"
fi
# not a campaign
mkdir fake
echo "not a database, but long enough to be looked at as if it were one" > fake/campaign.db
expect 2 "$SOWER" run rep.yaml --out fake
lines_said 1
exit 0
