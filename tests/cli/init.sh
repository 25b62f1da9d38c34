# sower init: a file that checks and plays as it is.
. "$(dirname "$0")/lib.sh"
expect 0 "$SOWER" init
prints campaign.yaml
says "sower check"
expect 0 "$SOWER" check
expect 0 "$SOWER" check campaign.yaml
expect 0 "$SOWER" run
[ -s campaign.sower/report.html ] || ls -d ./*.sower/report.html > /dev/null || fail "no report"
expect 2 "$SOWER" init
says "campaign.yaml exists" "--force"
lines_said 1
cp campaign.yaml before
expect 0 "$SOWER" init --force
same campaign.yaml before
expect 0 "$SOWER" init -o -
same out before
expect 0 "$SOWER" init -o other.yaml
same other.yaml before
expect 1 "$SOWER" init -o absent/other.yaml
lines_said 1

# from a screen
screen 120 > screen.csv
expect 0 "$SOWER" init screen.csv -o screen.yaml
grep -q 'screen.csv' screen.yaml || fail "the file is not in the campaign"
grep -q 'score' screen.yaml || fail "the readout is not in the campaign"
expect 0 "$SOWER" check screen.yaml
expect 0 "$SOWER" check screen.yaml --json
equal "$(json out perturbations)" 120 "perturbations of the file"
expect 0 "$SOWER" run screen.yaml
# gzipped, from another folder, with a control
mkdir data
{
    screen 60
    echo 'non-targeting,0.01,900,1'
} | tr ',' '\t' | gzip -c > data/s.tsv.gz
expect 0 "$SOWER" init data/s.tsv.gz -o s.yaml
grep -q 'non-targeting' s.yaml || fail "the control was not recognised"
expect 0 "$SOWER" check s.yaml --json
equal "$(json out perturbations)" 60 "perturbations without the control"
expect 0 "$SOWER" run s.yaml

# what cannot be a campaign is said in a line, and nothing is written
for text in '' 'a,b
1,2
' 'no table at all'; do
    printf '%s' "$text" > odd.csv
    expect 2 "$SOWER" init odd.csv -o odd.yaml
    says odd.csv
    lines_said 1
    [ -e odd.yaml ] && fail "a campaign was written"
done
expect 2 "$SOWER" init absent.csv -o odd.yaml
says absent.csv

# inspect looks without writing
expect 0 "$SOWER" inspect screen.csv
prints gene score n_cells fdr
expect 0 "$SOWER" inspect screen.csv --json
json out '#' > /dev/null
expect 0 "$SOWER" inspect odd.csv
expect 2 "$SOWER" inspect absent.csv
says absent.csv
lines_said 1
: > empty.csv
expect 2 "$SOWER" inspect empty.csv
says empty.csv
lines_said 1
exit 0
