# sower power from outside: tables, files, a round looked back at, the same bytes for any number of threads, and every bad input.
. "$(dirname "$0")/lib.sh"

# 400 genes whose shares fall by half every 40, with sizes between .5 and 4
baseline() {
    awk 'BEGIN {
        print "response_id,relative_expression,expression_size"
        for (i = 0; i < 400; i++) printf "G%03d,%.6g,%.4g\n", i, 0.012 * exp(-log(2) * i / 40), 0.5 + (i * 37 % 40) / 12
    }'
}
baseline > base.csv

# ---- a measured baseline, no campaign
expect 0 "$SOWER" power --baseline base.csv --cells 50,100 --out power.csv
prints "400 genes, two-sided, false-discovery rate 0.05 (Benjamini-Hochberg, 5 % of genes changed)" "50 cells a perturbation against 1000 controls: fold change 0.5" "no prices without a campaign" power.csv
equal "$(head -n 1 power.csv)" "cells,controls,reads_per_cell,umis_per_cell,level,genes,relative_expression,size,mean_umis,fold,power,smallest_decrease,smallest_increase,cells_needed,reads_needed,cost,round_cost,cost_of_cells_needed" "head of power.csv"
equal "$(sed 1d power.csv | wc -l)" 20 "rows: two numbers of cells, ten levels"
equal "$(sed 1d power.csv | awk -F, '$1 == 50 { print $11 }' | sort -gr | cksum)" "$(sed 1d power.csv | awk -F, '$1 == 50 { print $11 }' | cksum)" "power falls with expression"
equal "$(awk -F, 'NR > 1 && ($12 != "" && $12 >= 1 || $13 != "" && $13 <= 1)' power.csv)" "" "decreases above 1 or increases below"
for threads in 1 3; do
    expect 0 "$SOWER" power --baseline base.csv --threads "$threads" --json --reliability 0.6@40
    cp out "t$threads"
done
same t1 t3
equal "$(json t1 replicates.needed.1.cells.median)" 27 "cells for a correlation of .5: 40 (1 - .6) / .6, up"
equal "$(json t1 designs.#)" 5 "numbers of cells"

# what it takes has the power: cells, and reads
cells=$(awk -F, 'NR == 2 { print $14 }' power.csv) reads=$(awk -F, 'NR == 2 { print $15 }' power.csv)
expect 0 "$SOWER" power --baseline base.csv --cells "$cells" --json
[ "$(awk -v p="$(json out designs.0.levels.0.power)" 'BEGIN { print (p >= 0.8) }')" = 1 ] || fail "$cells cells have not the power"
expect 0 "$SOWER" power --baseline base.csv --cells 50 --reads "$(awk -v r="$reads" 'BEGIN { print (r * 1.001) }')" --json
[ "$(awk -v p="$(json out designs.0.levels.0.power)" 'BEGIN { print (p >= 0.8 && p < 0.85) }')" = 1 ] || fail "$reads reads have not the power"

# stricter, and by gene
expect 0 "$SOWER" power --baseline base.csv --correction bonferroni --genes G000,G399 --fold 2
prints "family-wise error 0.05 (Bonferroni): p below 0.000125" "G000" "G399"
expect 0 "$SOWER" power --baseline base.csv --tested 100 --correction none --fdr 0.01 --levels 3
prints "100 genes, two-sided, level 0.01, not corrected" "3 of 3"

# ---- a campaign on single cells: its controls, design and prices
on_cells cells.yaml
expect 0 "$SOWER" power cells.yaml --levels 3
prints "60 control cells of here" "20 cells a perturbation against 20 controls" "whole profiles, from halves of 12 perturbations" "2 of a target"
[ -e cells.sower ] && fail "a campaign was begun"
expect 0 "$SOWER" power cells.yaml --json
equal "$(json out designs.2.round_cost)" 101.0 "round of 4 x 20 cells and 20 controls"
expect 0 "$SOWER" power cells.yaml --context there --baseline base.csv
prints "20 cells a perturbation"

# the design and prices of a campaign without cells, with a measured baseline
simulated sim.yaml
expect 0 "$SOWER" power sim.yaml --baseline base.csv --json
equal "$(json out designs.2.cells)" 100 "cells of the design"
equal "$(json out designs.2.cost)" 40.16 "2 guides of 15, and 100 / .92 cells of .086 and .00748"

# ---- a round looked back at
expect 3 "$SOWER" power cells.yaml --round 0
says "no campaign in './cells.sower' yet"
expect 0 "$SOWER" run cells.yaml --quiet
expect 0 "$SOWER" power cells.yaml --round 0 --out round.csv
prints "round 0: 4 perturbations against 20 controls of here" "had too few cells to find a fold change of 0.5 at any level"
equal "$(head -n 1 round.csv)" "round,context,perturbation,cells,planned_cells,controls,level,relative_expression,size,mean_umis,fold,power,smallest_decrease,smallest_increase,too_few" "head of round.csv"
equal "$(sed 1d round.csv | wc -l)" 40 "rows: 4 perturbations, ten levels"
equal "$(sed 1d round.csv | cut -d, -f3 | sort -u | tr '\n' ' ')" "$(picks cells.sower/rounds/00/batch.csv | sort | tr '\n' ' ')" "perturbations of the round"
expect 0 "$SOWER" power cells.yaml --round 0 --fold 0.99
prints "4 of 4 had too few cells" ": too few cells"
mv cells.sower elsewhere
expect 0 "$SOWER" power cells.yaml --round 1 --folder elsewhere
expect 2 "$SOWER" power cells.yaml --round 9 --folder elsewhere --quiet # a file written just now may be read anew, and that is said
says "--round 9: there is no such round; measured: 0, 1"
lines_said 1

# ---- refused: exit 2, one line, nothing written
refused "--fold takes a number above 0" -- "$SOWER" power --baseline base.csv --fold -0.5 --out bad
refused "--fold takes a fold change from 0.001 to 1000 other than 1" -- "$SOWER" power --baseline base.csv --fold 1 --out bad
refused "--power takes a number above 0 and below 1, not 1" -- "$SOWER" power --baseline base.csv --power 1 --out bad
refused "--power takes a number above 0 and below 1, not 80" -- "$SOWER" power --baseline base.csv --power 80 --out bad
refused "--fdr takes a number above 0 and below 1, not 5" -- "$SOWER" power --baseline base.csv --fdr 5 --out bad
refused "--changed takes a number above 0 and up to 1" -- "$SOWER" power --baseline base.csv --changed 2 --out bad
refused "--correction takes bh, bonferroni or none, not 'holm'" -- "$SOWER" power --baseline base.csv --correction holm --out bad
refused "--cells takes whole numbers from 1" "'50,,60'" -- "$SOWER" power --baseline base.csv --cells 50,,60 --out bad
refused "--cells takes whole numbers from 1" -- "$SOWER" power --baseline base.csv --cells 0 --out bad
refused "--controls takes a whole number from 1" -- "$SOWER" power --baseline base.csv --controls none --out bad
refused "--reads takes a number above 0" -- "$SOWER" power --baseline base.csv --reads 0 --out bad
refused "--variation takes a number from 0 to 1" -- "$SOWER" power --baseline base.csv --variation 3 --out bad
refused "--mapping takes a number above 0 and up to 1" -- "$SOWER" power --baseline base.csv --mapping 71 --out bad
refused "--levels takes a number from 1 to 100" -- "$SOWER" power --baseline base.csv --levels 101 --out bad
refused "--tested asks for 500 genes, and the baseline has 400" -- "$SOWER" power --baseline base.csv --tested 500 --out bad
refused "--genes: the baseline has no gene 'G00O'; did you mean" -- "$SOWER" power --baseline base.csv --genes G000,G00O --out bad
refused "--reliability takes R@N" -- "$SOWER" power --baseline base.csv --reliability 0.6 --out bad
refused "unknown option '--fould'; did you mean '--fold'?" -- "$SOWER" power --baseline base.csv --fould 2
sed '1s/relative_expression/mean/' base.csv > columns.csv
refused "columns.csv:1: no column 'relative_expression'" "the columns are 'response_id', 'mean', 'expression_size'" -- "$SOWER" power --baseline columns.csv --out bad
sed '5s/,[^,]*,/,-1,/' base.csv > negative.csv
refused "negative.csv:5: relative_expression of G003 is '-1'" -- "$SOWER" power --baseline negative.csv --out bad
expect 1 "$SOWER" power --baseline nowhere.csv --out bad
says "nowhere.csv: cannot open"
lines_said 1
refused "sim.yaml: this campaign measures no single cells" "--baseline FILE" -- "$SOWER" power sim.yaml --out bad
refused "sim.yaml: this campaign measures no single cells" -- "$SOWER" power sim.yaml --round 0 --out bad
refused "design.control_share is 0" "--controls N" -- "$SOWER" power cells.yaml --quiet --set design.control_share=0 --out bad
refused "--reads changes nothing where UMIs are those of the control cells" -- "$SOWER" power cells.yaml --quiet --reads 5000 --out bad
refused "design.reads_per_cell is 0" -- "$SOWER" power cells.yaml --quiet --umis 2000 --out bad
refused "there is no context 'ther' in the data; did you mean 'there'?" -- "$SOWER" power cells.yaml --quiet --context ther --out bad
refused "--round looks back at the cells that came" -- "$SOWER" power cells.yaml --quiet --round 0 --cells 50 --out bad
sed 's/, control: nt//' cells.yaml > bare.yaml
expect 2 "$SOWER" power bare.yaml --out bad
says "single cells are compared with controls: data.sources[0].perturbation.control names their label"
[ -e bad ] && fail "something was written"
exit 0
