# Files of results with something wrong: one line, exit 2, nothing recorded.
. "$(dirname "$0")/lib.sh"
at_lab
expect 0 "$SOWER" plan lab.yaml
picks lab.sower/rounds/00/batch.csv > planned
measured_rows lab.sower/rounds/00/batch.csv > good.csv
state() {
    "$SOWER" status lab.yaml --json > status.json 2> /dev/null || fail "status"
    cksum < status.json
}
before=$(state)
refuses() { # refuses FILE TEXT...
    file=$1
    shift
    expect 2 "$SOWER" record lab.yaml "$file"
    says "$file" "$@"
    lines_said 1
    [ -s out ] && fail "something on stdout"
    equal "$(state)" "$before" "status after a refused file"
}
sed 's/^G0/GO/' good.csv > unknown.csv
refuses unknown.csv "10 perturbations are unknown" "did you mean 'G0" "nothing was recorded"
{
    cat good.csv
    echo 'G0001,1,1,1'
} > one.csv
refuses one.csv "1 perturbation is unknown" "'G0001'" "nothing was recorded"
sed '1s/score/scoer/' good.csv > column.csv
refuses column.csv "score" "scoer"
sed '1s/gene/genes/' good.csv > gene.csv
refuses gene.csv "no column 'gene'" "did you mean 'genes'"
sed '3s/,[^,]*,/,high,/' good.csv > text.csv
refuses text.csv "text.csv:3" "high"
: > empty.csv
refuses empty.csv "empty"
printf 'gene,score,n_cells\n"G001,1,2\n' > quote.csv
refuses quote.csv "quote"
sed '4s/$/,1,2/' good.csv > wide.csv
refuses wide.csv "wide.csv:4"
refuses absent.csv "no such file"
gzip -c good.csv | head -c 60 > cut.csv.gz
refuses cut.csv.gz "gz"
printf 'not HDF5 at all' > fake.h5ad
refuses fake.h5ad "HDF5"
expect 0 "$SOWER" record lab.yaml good.csv
prints "recorded 10"

# a simulated campaign has nothing to record
simulated
expect 0 "$SOWER" plan sim.yaml
expect 1 "$SOWER" record sim.yaml good.csv
says "no results to record" "sower run"
# which results?
expect 2 "$SOWER" record lab.yaml
says "which results"
exit 0
