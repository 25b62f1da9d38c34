# Contexts that nothing can be carried over from, and settings that cannot work: what is refused with one line that says file, what and what to do; and what is odd, but allowed.
. "$(dirname "$0")/lib.sh"
on_cells cells.yaml
sed 's/kind: gp, iterations: 10/kind: hypermap, iterations: 5/; s/strategy: max-variance/strategy: random/' cells.yaml > c.yaml
sed '/^priors:/,/layout.csv/d' c.yaml > bare.yaml
network="--set model.hypermap.form=network --set model.stack=false"

relabelled() { # relabelled FOLDER AWK: the screen with other labels ($2 gene, $3 line), and FOLDER.yaml
    cp -r screen "$1"
    awk -F, "BEGIN { OFS = \",\" } NR > 1 { $2 } { print }" screen/labels.csv > "$1/labels.csv"
    sed "s#screen#$1#g" c.yaml > "$1.yaml"
}

# ---- controls
relabelled uncontrolled 'if ($2 == "nt" && $3 == "there") $2 = "G12"'
for command in check run "evaluate --leave-one-context-out" seeds; do
    refused "./uncontrolled: no cell of the context 'there' is a control 'nt'" "name the controls (perturbation.control), or list the other contexts (contexts:)" -- "$SOWER" ${command%% *} uncontrolled.yaml $(echo "$command" | cut -s -d' ' -f2-)
done

# ---- two contexts: allowed, and warned of once in every fit from scratch
expect 0 "$SOWER" run c.yaml --set 'rounds.batches=[]'
equal "$(grep -c 'warning: model hypermap learns from one other context only: how contexts differ cannot be learned from it' err)" 1 "warnings"
expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out --seeds 3 --draws 3
says "there are two contexts: with one known there is nothing to learn how far contexts agree from"
equal "$(grep -c 'learns from one other context only' err)" 2 "warnings: one a context, whatever the draws"
rm -r cells.sower

# ---- a context, or a perturbation, of one cell
relabelled single 'if ($3 == "there" && $2 != "nt" && !($2 == "G01" && !n++)) $3 = "elsewhere"'
refused "single.yaml: model 'hypermap' carries responses over from other contexts, and no perturbation there (there) has the 8 cells of features.min_cells_per_perturbation: lower it, or add another source" -- "$SOWER" check single.yaml --quiet
expect 0 "$SOWER" run single.yaml --set features.min_cells_per_perturbation=1 --set 'rounds.batches=[]' --set model.kind=gp --out single-gp
expect 2 "$SOWER" evaluate single.yaml --leave-one-context-out --set features.min_cells_per_perturbation=1 --out bad
says "single.yaml: no context shares 3 perturbations with the others: nothing to evaluate"
relabelled lonely 'if ($2 == "G02" && n[$3]++) $3 = "elsewhere"'
expect 0 "$SOWER" check lonely.yaml
prints "perturbations of fewer than 8 cells" "G02 in here (1)" "G02 in there (1)"
expect 0 "$SOWER" evaluate lonely.yaml --leave-one-context-out --set features.min_cells_per_perturbation=1 --seeds 3 --draws 2 --out lonely-out
expect 0 "$SOWER" run lonely.yaml --set features.min_cells_per_perturbation=1 --set 'rounds.batches=[]' --out lonely-run

# ---- a list of seeds that is not of this screen
refused "c.yaml: none of acquisition.list can be chosen here: G98 (not in this screen), G99 (not in this screen)" -- "$SOWER" plan c.yaml --set 'acquisition.list=[G98, G99]' --set rounds.initial.strategy=functional --out bad --quiet
refused "c.yaml: none of acquisition.list can be chosen here: G98 (not in this screen), G99 (not in this screen)" -- "$SOWER" seeds c.yaml -n 3 --strategy functional --set 'acquisition.list=[G98, G99]' --out bad --quiet
expect 0 "$SOWER" seeds c.yaml -n 2 --strategy functional --set 'acquisition.list=[G99, G01]' --out some
says "warning: of acquisition.list these cannot be chosen here: G99 (not in this screen)"
prints "place 2 of the list" "the list is done: drawn at random"

# ---- networks that are told perturbations one-hot
for command in check run "evaluate --leave-one-context-out"; do
    refused "bare.yaml: model.hypermap.embedding one-hot (what auto is without priors) tells nothing of a perturbation that no reference context has measured, here 6 (G07, G08, G09, ...): give \`priors:\`" "or set model.stack: true" -- \
        "$SOWER" ${command%% *} bare.yaml $(echo "$command" | cut -s -d' ' -f2-) $network --out bad --quiet
done
only="constraints.exclude={names: [G07, G08, G09, G10, G11, G12], reason: nowhere else}"
small="--set rounds.initial.size=2 --set rounds.batches=[] --set oracle.held_out.count=2 --set model.hypermap.steps=2"
expect 0 "$SOWER" run bare.yaml $network $small --set "$only" --out one-hot
expect 2 "$SOWER" evaluate c.yaml --leave-one-context-out --unseen 2 --seeds 3 --draws 1 --contexts there $network $small --set model.hypermap.embedding=one-hot --set "$only" --out bad
says "c.yaml: new context there, 3 seeds, model hypermap: hypermap cannot say anything of perturbation 'G0" "no other context has measured it, and model.hypermap.embedding one-hot" "give priors and embedding auto"
expect 0 "$SOWER" evaluate c.yaml --leave-one-context-out --unseen 2 --seeds 3 --draws 1 --contexts there $network $small --set model.hypermap.embedding=prior --out told

# ---- numbers that run away: the step, and what to lower
diverges() { # diverges TEXT... -- SETTINGS...
    words=
    while [ "$1" != -- ]; do
        words="$words$1
"
        shift
    done
    shift
    rm -rf bad
    expect 1 "$SOWER" run c.yaml --quiet $network --set 'rounds.batches=[]' "$@" --out bad
    printf '%s' "$words" | while IFS= read -r text; do says "$text" || exit 1; done || exit 1
    equal "$(grep -c '^error: ' err)" 1 "errors"
}
diverges "c.yaml: fitting model 'hypermap': hypermap: outer steps 1 to 5 are not finite" "of the inner loop is not finite at a rate of 1e+06" "lower model.hypermap.inner_rate (1e+06) or model.hypermap.meta_rate" -- \
    --set model.hypermap.inner_rate=1e6 --set model.hypermap.steps=20
diverges "3 of 3 outer steps were not finite: lower model.hypermap.inner_rate (1e+06)" -- --set model.hypermap.inner_rate=1e6 --set model.hypermap.steps=3
diverges "outer steps were not finite: lower model.hypermap.inner_rate" "or model.hypermap.meta_rate (1e+06)" -- --set model.hypermap.meta_rate=1e6 --set model.hypermap.steps=3
diverges "adapting hypermap to its 4 seed rows" "lower model.hypermap.adapt_rate (1e+06)" -- --set model.hypermap.adapt_rate=1e6 --set model.hypermap.steps=3
refused "model.hypermap.inner_rate must be a number in [0, 1000000], not '1e30'" -- "$SOWER" check c.yaml $network --set model.hypermap.inner_rate=1e30

# ---- priors
awk 'BEGIN { print "gene,x,y,z"; for (p = 1; p <= 12; p++) printf "G%02d,%d,%d,%d\n", p, p % 5, p % 3, p % 7 }' > wide.csv
sed 's#^  - {name: layout.*#&\n  - {name: wide, file: wide.csv, key: gene}#' c.yaml > both.yaml
expect 0 "$SOWER" check both.yaml # priors of other widths stand side by side
prints "layout (vectors, 2 dimensions)" "wide (vectors, 3 dimensions)"
printf 'gene,x,y\nG01,1,2\nG02,2,3,4\n' > ragged.csv
refused "./ragged.csv:3: 4 fields where the header has 3" -- "$SOWER" check c.yaml --set 'priors=[{name: layout, file: ragged.csv, key: gene}]' --quiet
expect 0 "$SOWER" run c.yaml --quiet --set 'rounds.batches=[]' --out kept
cp layout.csv narrow.csv
cp wide.csv layout.csv
expect 2 "$SOWER" run c.yaml --set 'rounds.batches=[]' --out kept
says "c.yaml: the data files have changed since the campaign in kept was started (their SHA-256 differs); restore them, or start another campaign with --out FOLDER"
lines_said 1
cp narrow.csv layout.csv
refused "priors[0].context: with \`readout: {kind: cells}\` what a context measured is no prior" "take this prior out, or give it a file" -- "$SOWER" check c.yaml --set 'priors=[{name: a, context: there}]' --quiet

# a prior that is what a context measured says what is to be predicted of it
awk 'BEGIN { print "gene,line,score"; for (i = 1; i <= 12; i++) for (c = 1; c <= 3; c++) printf "G%02d,%s,%.4f\n", i, substr("abc", c, 1), sin(i * 1.7) + c / 10 }' > scores.csv
cat > s.yaml <<YAML
sower: 1
name: s
data:
  sources:
    - {file: scores.csv, role: target, context: {column: line}, contexts: [a], perturbation: gene}
    - {file: scores.csv, role: reference, context: {column: line}, contexts: [b, c], perturbation: gene}
readout: {kind: scalar, column: score}
priors: [{name: told, context: b}]
model: {kind: gp, iterations: 5}
acquisition: {strategy: random}
rounds: {initial: {size: 5, strategy: random}, batches: []}
oracle: {kind: replay}
YAML
refused "s.yaml: prior 'told' is what context b measured, which is to be new: choose other priors by model.prior, or other contexts by --contexts" -- "$SOWER" evaluate s.yaml --leave-one-context-out --seeds 3 --out bad
refused "s.yaml: --unseen: prior 'told' is what context b measured, and so of what is taken for measured nowhere: choose other priors by model.prior" -- "$SOWER" evaluate s.yaml --leave-one-context-out --unseen 3 --contexts a --out bad
expect 0 "$SOWER" evaluate s.yaml --leave-one-context-out --seeds 3 --draws 2 --contexts a,c --out fine
refused "prior 'told': no context 'B' in the data; did you mean 'b'?" -- "$SOWER" check s.yaml --set 'priors[0].context=B'
[ -e bad/contexts.csv ] && fail "something was written"
exit 0
