# Data files with something wrong: one line that names the file, and the line where there is one; exit 2, nothing written.
. "$(dirname "$0")/lib.sh"
replayed
try() { # try TEXT...: after the data were broken, check and run both refuse; then they are whole again
    refused "$@" -- "$SOWER" run rep.yaml
    refused "$@" -- "$SOWER" check rep.yaml
    replayed
}
sed -i '1s/score/scores/' screen.csv
try "screen.csv" "'score'" "scores"
sed -i '1s/gene/symbol/' screen.csv
try "screen.csv" "'gene'"
sed -i '1s/n_cells/cells/' screen.csv
try "screen.csv" "'n_cells'"
sed -i '7s/,[^,]*,/,much,/' screen.csv
try "screen.csv:7" "much" "score"
sed -i '9s/$/,1/' screen.csv
try "screen.csv:9"
: > screen.csv
try "screen.csv" "empty"
head -n 1 screen.csv > one && mv one screen.csv
try "screen.csv"
rm screen.csv
try "screen.csv" "no such file"
sed -i 's/,[0-9.-]*,/,NaN,/; 1s/.*/gene,score,n_cells,fdr/' screen.csv
try "screen.csv"
sed -i '1s/fdr/score/' screen.csv
try "screen.csv" "score"
sed -i 's/^G/H/' layout.csv
try "layout.csv" "H001" "G001"
sed -i '5s/,[^,]*$/,NaN/' layout.csv
try "layout.csv" "y"
sed -i '6s/.*/G001,0.5,0.5/' layout.csv
try "layout.csv" "G001"
rm layout.csv
try "layout.csv" "no such file"
: > sets.gmt
try "sets.gmt"
sed -i 's/G/X/g' sets.gmt
try "sets.gmt"

# gzip and HDF5 that end too early, or are something else
with() { # with FILE TEXT...: the target's file is FILE
    file=$1
    shift
    sed "s/file: screen.csv/file: $file/" rep.yaml > with.yaml
    refused "$file" "$@" -- "$SOWER" run with.yaml
}
gzip -c screen.csv > whole.csv.gz
head -c 700 whole.csv.gz > cut.csv.gz
with cut.csv.gz
head -c 5 whole.csv.gz > stub.csv.gz
with stub.csv.gz
cp screen.csv plain.csv.gz # not gzipped at all: read as it is, or refused by name
sed "s/file: screen.csv/file: plain.csv.gz/" rep.yaml > with.yaml
"$SOWER" check with.yaml > out 2> err || { says plain.csv.gz; lines_said 1; }
printf 'this is no HDF5 file' > fake.h5ad
with fake.h5ad "HDF5"
: > none.h5ad
with none.h5ad
printf '\211HDF\r\n\032\n and then nothing of use follows' > cut.h5ad
with cut.h5ad

# duplicates where they are not allowed
{
    cat screen.csv
    echo 'G007,1.5,80,0.5'
} > twice.csv
sed "s/file: screen.csv/file: twice.csv/; s/cells: {column: n_cells}/&, duplicates: error/" rep.yaml > with.yaml
refused "twice.csv" "G007" -- "$SOWER" run with.yaml
sed "s/file: screen.csv/file: twice.csv/" rep.yaml > with.yaml
expect 0 "$SOWER" check with.yaml

# NaN readouts are left out by name, and the rest goes on
sed -e '11s/,[^,]*,/,NaN,/' -e '21s/,[^,]*,/,,/' -e '31s/,[^,]*,/,inf,/' screen.csv > holes.csv
sed "s/file: screen.csv/file: holes.csv/" rep.yaml > with.yaml
expect 0 "$SOWER" check with.yaml
prints "G010" "G020" "G030" "left out"
expect 0 "$SOWER" check with.yaml --json
equal "$(json out perturbations)" 117 "perturbations left"
expect 0 "$SOWER" run with.yaml
cat rep.sower/rounds/*/batch.csv | cut -d, -f2 | grep -E '^G0[123]0$' && fail "a perturbation without a readout was picked"
rm -rf rep.sower

# nothing in the target context
sed 's/gene,/line,gene,/; s/^G/A549,G/' screen.csv > lines.csv
sed "s/file: screen.csv/file: lines.csv/; s/context: K562/context: {column: line}, contexts: [K562]/" rep.yaml > with.yaml
refused "lines.csv" "K562" -- "$SOWER" run with.yaml
exit 0
