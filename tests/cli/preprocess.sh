# sower preprocess from outside: what it writes and says, the same bytes for any number of threads, and every wrong input.
. "$(dirname "$0")/lib.sh"
cells_folder screen
P="$SOWER preprocess"

# a MatrixMarket folder; its labels are found beside it
expect 0 $P screen --json --quiet
equal "$(json out cells)" 552 "cells read"
equal "$(json out prepared_cells)" 552 "cells prepared"
equal "$(json out genes)" 30 "genes read"
equal "$(json out prepared_genes)" 30 "genes prepared"
equal "$(json out values)" counts "values"
equal "$(json out labelled)" true "labelled"
equal "$(json out out)" screen-prepared.h5ad "name of the result"
[ -s screen-prepared.h5ad ] || fail "nothing was written"
[ -n "$(ls cache)" ] || fail "no cache where SOWER_CACHE says"
(unset SOWER_CACHE; cd screen && "$SOWER" preprocess ../screen --out ../here.h5ad --quiet) > out 2> err || fail "preprocess without SOWER_CACHE"
[ ! -e screen/sower-cache ] || fail "a cache of a file that fits into memory"
same screen-prepared.h5ad here.h5ad

# what is written can be read again: log1p, with the labels
expect 0 "$SOWER" inspect screen-prepared.h5ad --json
equal "$(json out rows)" 552 "rows of the result"
equal "$(json out width)" 30 "genes of the result"
equal "$(json out perturbation_column)" gene "perturbation column of the result"
equal "$(json out control)" nt "control of the result"
expect 0 $P screen-prepared.h5ad --out again.h5ad --json --quiet
equal "$(json out values)" log1p "values of what is prepared"
equal "$(json out target_sum)" null "target sum of what is prepared"

# filters, and who they took
expect 0 $P screen --out few.h5ad --set features.max_cells_per_perturbation=20 --set features.highly_variable=10 --seed 4
prints "cells above the 20 of a perturbation, drawn by lot" "G01 in here (4)" "genes that are not highly variable" "every cell that is left" "few.h5ad"
expect 0 $P screen --out same.h5ad --set features.max_cells_per_perturbation=20 --set features.highly_variable=10 --seed 4 --threads 1 --quiet
expect 0 $P screen --out other.h5ad --set features.max_cells_per_perturbation=20 --set features.highly_variable=10 --seed 5 --threads 3 --quiet
same few.h5ad same.h5ad
differ few.h5ad other.h5ad
expect 0 $P screen --out v3.h5ad --set features.highly_variable=10 --set features.flavour=seurat_v3 --set features.across=intersection --json --quiet
[ "$(json out prepared_genes)" -le 10 ] || fail "an intersection of 10 and 10 genes has more than 10"
expect 0 $P screen --out sum.h5ad --set features.target_sum=100 --set features.log1p=false --json --quiet
equal "$(json out log1p)" false "log1p"
equal "$(json out target_sum)" 100.0 "target sum"

# columns by name, and no labels at all
expect 0 $P screen --out named.h5ad --perturbation gene --control nt --context lane --json --quiet
expect 0 $P screen --out named.h5ad --force --perturbation gene --control G01 --json --quiet
cp -r screen bare
rm bare/labels.csv
expect 0 $P bare --quiet
prints "labels    none"
expect 0 "$SOWER" inspect bare-prepared.h5ad --json
equal "$(json out rows)" 552 "rows without labels"

# wrong input: one line, exit 2, nothing written
no() { # no TEXT... -- ARGUMENTS...: refused, and no result is left
    rm -f x.h5ad
    refused "$@" --out x.h5ad --quiet
    [ -e x.h5ad ] && fail "a result was written"
    left=$(find . -name '*tmp*')
    [ -z "$left" ] || fail "half-written files are left: $left"
}
no "absent.h5ad: no such file" -- $P absent.h5ad
no "did you mean 'highly_variable'" -- $P screen --set features.highly_variables=3
no "highly_variable" "31" "30" -- $P screen --set features.highly_variable=31
no "target_sum" -- $P screen --set features.target_sum=0
no "target_sum" -- $P screen --set features.target_sum=-4
no "no column 'genes'" "did you mean 'gene'" -- $P screen --perturbation genes --control nt
no "--control LABEL" -- $P screen --perturbation line
no "'NT'" "nt" -- $P screen --control NT
no "no column 'lines'" -- $P screen --context lines
no "--context needs --perturbation" -- $P bare --context line
no "--control needs --perturbation" -- $P bare --control nt
no "none of its 60 control cells has 31 genes" "here" -- $P screen --set features.min_genes_per_cell=31
no "no perturbation has 25 cells" "largest has 24" -- $P screen --set features.min_cells_per_perturbation=25
no "max_cells_per_perturbation 8 is below" -- $P screen --set features.max_cells_per_perturbation=8
no "lower features.min_cells_per_gene" -- $P screen --set features.min_cells_per_gene=1000
no "seurat_v3 need counts" -- $P screen-prepared.h5ad --set features.highly_variable=5 --set features.flavour=seurat_v3
screen 20 > table.csv
no "table.csv" "single cells" -- $P table.csv
printf 'not hdf5' > broken.h5ad
no "broken.h5ad" -- $P broken.h5ad
head -c 3000 screen-prepared.h5ad > cut.h5ad
no "cut.h5ad" -- $P cut.h5ad
refused "--out result.csv" -- $P screen --out result.csv
refused "few.h5ad exists" "--force" -- $P screen --out few.h5ad
refused "is the file that is read" -- $P screen-prepared.h5ad --out screen-prepared.h5ad --force
expect 1 $P screen --out nowhere/x.h5ad --quiet
says nowhere

# a full disk leaves nothing: of the cache, and of the result, which is larger
full() { # full BYTES
    (
        ulimit -f $(($1 / 512))
        "$SOWER" preprocess few.h5ad --out full.h5ad --cache full-cache --quiet > out 2> err
        echo $? > code
    )
    equal "$(cat code)" 1 "exit code of a full disk"
    lines_said 1
    [ -e full.h5ad ] && fail "a partial result is left by a full disk"
    left=$(find . -name '*.tmp-*' -o -name '*.making-*')
    [ -z "$left" ] || fail "half-written files are left: $left"
}
expect 0 $P few.h5ad --out whole.h5ad --cache some-cache --quiet
cache_size=$(cat some-cache/*.cells | wc -c)
size=$(wc -c < whole.h5ad)
[ "$size" -gt $((cache_size + 4096)) ] || fail "the result ($size bytes) is not larger than the cache ($cache_size)"
full 4096
says full-cache
full $(((size + cache_size) / 2))
says full.h5ad

# Ctrl-C: exit 130, one line, no result. The file is large enough to be caught in the middle
mkdir large
awk 'BEGIN {
    n = 40000
    for (g = 1; g <= 30; g++) print "ID" g "\tX" g > "large/features.tsv"
    for (i = 1; i <= n; i++) print "B" i > "large/barcodes.tsv"
    print "%%MatrixMarket matrix coordinate integer general" > "large/matrix.mtx"
    print 30, n, 15 * n > "large/matrix.mtx"
    for (i = 1; i <= n; i++) for (g = 1 + i % 2; g <= 30; g += 2) print g, i, 1 + (i * g) % 5 > "large/matrix.mtx"
}'
"$SOWER" preprocess large --out stopped.h5ad --cache large-cache --quiet > out 2> err &
pid=$!
n=0
until [ -d large-cache ]; do # the signals are caught, and the work has begun
    n=$((n + 1))
    [ "$n" -lt 3000 ] || fail "preprocess does not start"
    sleep 0.01
done
kill -s INT "$pid"
wait "$pid"
equal "$?" 130 "exit code after Ctrl-C"
says "interrupted; nothing was written"
lines_said 1
[ -e stopped.h5ad ] && fail "a result after Ctrl-C"
left=$(find . -name '*.tmp-*' -o -name '*.making-*')
[ -z "$left" ] || fail "half-written files are left: $left"
expect 0 $P large --out stopped.h5ad --cache large-cache --quiet
exit 0
