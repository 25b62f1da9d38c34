# Single cells from outside: inspect says what they are, init writes a campaign that plays as it is.
. "$(dirname "$0")/lib.sh"

# folder NAME LABEL_OF_CONTROLS: a MatrixMarket folder of 12 perturbations x 40 cells and 90 controls in two lines x 30 genes; perturbation G lowers gene G
folder() {
    mkdir "$1"
    awk -v label="$2" -v folder="$1" 'BEGIN {
        for (g = 1; g <= 30; g++) printf "ENSG%03d\tG%02d\tGene Expression\n", g, g > (folder "/features.tsv")
        print "barcode,target_gene,cell_line,guide,lane" > (folder "/metadata.csv")
        n = 0; stored = 0
        for (line = 1; line <= 2; line++)
            for (p = 0; p <= (line == 1 ? 12 : 4); p++)
                for (k = 1; k <= (p == 0 ? 90 : 40); k++) {
                    n++
                    printf "AAC%05d-1\n", n > (folder "/barcodes.tsv")
                    printf "AAC%05d-1,%s,%s,g%d_%d,%d\n", n, p == 0 ? label : sprintf("G%02d", p), line == 1 ? "K562" : "RPE1", p, k % 3, 1 + n % 2 > (folder "/metadata.csv")
                    for (g = 1; g <= 30; g++) {
                        x = (n * 7919 + g * 104729 + n * g * 31) % 13
                        if (g == p) x = int(x / 4)
                        if (p > 0 && g == p + 12) x = x + 6
                        if (x > 0) entry[++stored] = g " " n " " x
                    }
                }
        print "%%MatrixMarket matrix coordinate integer general\n30 " n " " stored > (folder "/matrix.mtx")
        for (i = 1; i <= stored; i++) print entry[i] > (folder "/matrix.mtx")
    }'
}
folder cells non-targeting

expect 0 "$SOWER" inspect cells
prints "MatrixMarket" "raw counts" "12 perturbations in target_gene, control non-targeting" "technical batch" "next: sower init cells"
expect 0 "$SOWER" inspect cells --json
equal "$(json out kind)" MatrixMarket "kind of file"
equal "$(json out readout_kind)" cells "kind of readout"
equal "$(json out matrices.0.cells)" 820 "cells"
equal "$(json out contexts.0.name)" K562 "context"
equal "$(json out contexts.0.controls)" 90 "controls of the context"
equal "$(json out contexts.1.perturbations)" 4 "perturbations of the other context"
equal "$(json out target)" K562 "where init plans"
equal "$(json out guide_column)" guide "guides"
equal "$(json out technical_batch_column)" lane "technical batches"

expect 0 "$SOWER" init cells
grep -q 'kind: cells' campaign.yaml || fail "the readout is not cells"
grep -q 'contexts: \[RPE1\]' campaign.yaml || fail "the other line is no reference"
expect 0 "$SOWER" check --json
equal "$(json out perturbations)" 12 "perturbations"
expect 0 "$SOWER" run
[ -s campaign.sower/report.html ] || ls -d ./*.sower/report.html > /dev/null || fail "no report"

# a campaign written into another folder finds its data
mkdir elsewhere
expect 0 "$SOWER" init cells -o elsewhere/one.yaml
expect 0 "$SOWER" check elsewhere/one.yaml

# what cannot be played is said, and nothing is written
folder wild wildtype
expect 0 "$SOWER" inspect wild
prints "no label for controls was recognised in target_gene"
expect 2 "$SOWER" init wild -o wild.yaml
says wild "no label for controls"
lines_said 1
[ -e wild.yaml ] && fail "a campaign was written"
rm cells/metadata.csv
expect 2 "$SOWER" init cells -o bare.yaml
says "a table with the cells' labels"
mkdir empty
expect 2 "$SOWER" inspect empty
says "empty" "matrix.mtx"
lines_said 1
exit 0
