# A campaign with people in it: plan, wait, record, plan again.
. "$(dirname "$0")/lib.sh"
at_lab
waiting() { # how many perturbations of the present round are awaited
    "$SOWER" status lab.yaml --json > status.json || fail "status"
    json status.json status.planned
}

expect 0 "$SOWER" check lab.yaml
expect 1 "$SOWER" status lab.yaml
says "no campaign" "sower plan"
measured_rows /dev/null > results.csv
expect 1 "$SOWER" record lab.yaml results.csv
says "plan one first"
[ -e lab.sower/rounds ] && fail "record made a round"
rm -rf lab.sower

expect 0 "$SOWER" plan lab.yaml
says "sower record lab.yaml"
first=$(cksum < lab.sower/rounds/00/batch.csv)
equal "$(waiting)" 10 "planned"
equal "$(json status.json state)" "waiting for the lab" "state"
expect 3 "$SOWER" plan lab.yaml
says "sower record lab.yaml"
expect 3 "$SOWER" run lab.yaml
equal "$(cksum < lab.sower/rounds/00/batch.csv)" "$first" "batch.csv after planning twice"

# part of the results: the round stays open
measured_rows lab.sower/rounds/00/batch.csv 4 > results.csv
expect 0 "$SOWER" record lab.yaml results.csv
prints "recorded 4" "awaited 6"
equal "$(waiting)" 6 "awaited"
[ -e lab.sower/metrics.csv ] && fail "a round that waits was evaluated"
expect 3 "$SOWER" plan lab.yaml
expect 3 "$SOWER" run lab.yaml
# the same file once more adds nothing
expect 3 "$SOWER" record lab.yaml results.csv
says "recorded before"
prints "recorded 0" "awaited 6"
equal "$(waiting)" 6 "awaited"

# one without a readout has failed; two that were not planned count too; controls are not candidates; CRLF, BOM, plain names
picks lab.sower/rounds/00/batch.csv > planned
failed=$(sed -n 5p planned)
extra=$(grep -v -F -f planned candidates.csv | sed -n '2,3p')
{
    printf '\357\273\277perturbation,value,cells\r\n'
    for name in $(sed -n '6,9p' planned) $extra; do
        grep "^$name," whole.csv | awk -F, '{ printf "%s,%s,%s\r\n", $1, $2, $3 }'
    done
    printf '%s,NaN,50\r\nNT,0.01,500\r\n' "$failed"
} > results.csv
expect 0 "$SOWER" record lab.yaml results.csv --json
equal "$(json out recorded)" 6 "recorded"
equal "$(json out unplanned)" 2 "unplanned"
equal "$(json out failed)" 1 "failed"
equal "$(json out pending)" 1 "pending"
equal "$(waiting)" 1 "awaited"
equal "$(json status.json status.failed)" 1 "failed"

# the last one will not come
missing=$(sed -n 10p planned)
expect 0 "$SOWER" record lab.yaml results.csv --complete
prints "failed 1"
equal "$(waiting)" 0 "awaited"
equal "$(json status.json state)" "ready to plan" "state"
equal "$(json status.json status.failed)" 2 "failed"
n=$(($(json status.json status.measured) + $(json status.json status.partial)))
equal "$n" 10 "measured, unplanned ones among them"
equal "$(json status.json rounds_done.0.failed)" 2 "failed in round 0"
grep -q '^0,10,,all,pool_size,80' lab.sower/metrics.csv || fail "round 0 was not evaluated with 10 measured"

# what failed may be planned again, what was measured not; unplanned measured ones are not candidates either
cp -r lab.sower again
expect 0 "$SOWER" plan lab.yaml --out again --set 'rounds.batches=[70]'
picks again/rounds/01/batch.csv > second
for name in $failed $missing; do
    grep -qx "$name" second || fail "$name failed and may be planned again, but was not"
done
for name in $extra $(head -n 4 planned); do
    grep -qx "$name" second && fail "$name is measured and was planned again"
done

expect 0 "$SOWER" plan lab.yaml
equal "$(sed 1d lab.sower/rounds/01/batch.csv | wc -l)" 6 "second batch"

# the same perturbation twice in a file, and again in a second file: replicates, merged by cells
name=$(picks lab.sower/rounds/01/batch.csv | head -n 1)
printf 'gene,score,n_cells\n%s,1,100\n%s,4,50\n' "$name" "$name" > results.csv
expect 0 "$SOWER" record lab.yaml results.csv
prints "recorded 1"
printf 'gene,score,n_cells\n%s,5,150\n' "$name" > results.csv
expect 0 "$SOWER" record lab.yaml results.csv
prints "recorded 1"
equal "$(waiting)" 5 "awaited"
grep -q "\"$name\",1,1,[^,]*,3.5," lab.sower/report.html || fail "(1 * 100 + 4 * 50 + 5 * 150) / 300 = 3.5 is not in the report"

# the rest, as TSV and gzipped; then the last round; then nothing is left
measured_rows lab.sower/rounds/01/batch.csv | tr ',' '\t' | gzip -c > results.tsv.gz
expect 0 "$SOWER" record lab.yaml results.tsv.gz
equal "$(waiting)" 0 "awaited"
expect 3 "$SOWER" run lab.yaml
equal "$(sed 1d lab.sower/rounds/02/batch.csv | wc -l)" 6 "run plans the round and waits"
measured_rows lab.sower/rounds/02/batch.csv > results.csv
expect 0 "$SOWER" record lab.yaml results.csv
says "every round of this campaign is done"
expect 3 "$SOWER" plan lab.yaml
expect 3 "$SOWER" run lab.yaml
expect 3 "$SOWER" record lab.yaml results.csv
echo >> results.csv
expect 1 "$SOWER" record lab.yaml results.csv
says "no planned round waits for results; every round is done: add one to rounds.batches"
nothing_half_written lab.sower

# rows that count for nothing are named with the reason
at_lab slips.yaml
sed -i 's/^name: lab/name: slips/' slips.yaml
expect 0 "$SOWER" plan slips.yaml
{
    echo 'gene,score,n_cells'
    picks slips.sower/rounds/00/batch.csv | sed '1s/$/,inf,100/; 2s/$/,3,-5/; 3s/^.*$/,3,100/; 4,$s/$/,3,100/'
} > results.csv
expect 0 "$SOWER" record slips.yaml results.csv
says "left out 1: results.csv: NaN readout ($(picks slips.sower/rounds/00/batch.csv | sed -n 1p))"
says "left out 1: results.csv: no cells ($(picks slips.sower/rounds/00/batch.csv | sed -n 2p))"
says "left out 1: results.csv: no perturbation name"
prints "failed 2, still awaited 1"

# a whole batch may fail; then the next result still makes a round
at_lab whole.yaml
sed -i 's/^name: lab/name: whole/' whole.yaml
expect 0 "$SOWER" plan whole.yaml
{
    echo 'gene,score,n_cells'
    picks whole.sower/rounds/00/batch.csv | sed 's/$/,,0/'
} > results.csv
expect 0 "$SOWER" record whole.yaml results.csv --json
equal "$(json out failed)" 10 "failed"
equal "$(json out recorded)" 0 "recorded"
expect 0 "$SOWER" status whole.yaml
expect 0 "$SOWER" plan whole.yaml
equal "$(sed 1d whole.sower/rounds/01/batch.csv | wc -l)" 6 "batch after one that failed"

# combinations and doses are the same however they are spelled
cat > pairs.csv <<CSV
gene,amount
A,1
B,1
A+B,1+2
C,5
D,1
CSV
cat > pairs.yaml <<YAML
sower: 1
name: pairs
data: {sources: [{file: pairs.csv, role: target, context: x, perturbation: {column: gene, separator: "+", dose: {column: amount}}}]}
readout: {kind: scalar, column: score}
model: {kind: train-mean}
rounds: {initial: {size: 5}}
oracle: {kind: lab}
YAML
expect 0 "$SOWER" plan pairs.yaml
picks pairs.sower/rounds/00/batch.csv | sort | tr '\n' ' ' > names
equal "$(cat names)" "A@1 A@1+B@2 B@1 C@5 D@1 " "names in batch.csv"
printf 'gene,amount,score\nB+A,2+1,7\nA,1,2\n' > results.csv
expect 0 "$SOWER" record pairs.yaml results.csv
prints "recorded 2 (0 of them not planned)"
printf 'perturbation,value\nB@1,7\nC@5,2\nD@1,4\n' > results.csv
expect 0 "$SOWER" record pairs.yaml results.csv
prints "recorded 3 (0 of them not planned)"

# results for held-out perturbations evaluate and never train
printf '%s\n' G001 G002 G003 G004 G005 > held.txt
expect 0 "$SOWER" plan lab.yaml --out held --set 'oracle.held_out={list: held.txt}'
{
    measured_rows held/rounds/00/batch.csv
    grep -E '^G00[1-5],' whole.csv
} > results.csv
expect 0 "$SOWER" record lab.yaml results.csv --out held --set 'oracle.held_out={list: held.txt}'
prints "recorded 15 (5 of them not planned)"
grep -q '^0,10,gp,donor 1,rmse,' held/metrics.csv || fail "no evaluation on the held-out perturbations that were recorded, or they train"

# the campaign file is campaign.yaml when none is named
cp lab.yaml campaign.yaml
sed -i 's/name: lab/name: standard/' campaign.yaml
expect 0 "$SOWER" plan
measured_rows standard.sower/rounds/00/batch.csv > results.csv
expect 0 "$SOWER" record results.csv
prints "recorded 10"
expect 0 "$SOWER" status
exit 0
