# Mistakes in the campaign file: every one at once, one line each with file:line:column, exit 2, nothing written.
. "$(dirname "$0")/lib.sh"
replayed

for command in check run plan; do
    # three mistakes, three lines
    sed -e 's/^seed: 5/seeds: 5/' -e 's/size: 24/size: many/' -e 's/fraction: 0.2/fraction: 1.5/' rep.yaml > bad.yaml
    expect 2 "$SOWER" $command bad.yaml
    lines_said 3
    says "bad.yaml:3:1: unknown key 'seeds'" "did you mean 'seed'" "bad.yaml:14:26" "many" "bad.yaml:15:45" "1.5"
    [ -s out ] && fail "something on stdout"
    [ -e rep.sower ] && fail "a folder was made"
done

refused "bad.yaml:13:25" "unknown" "'gredy'" "did you mean 'greedy'" -- sh -c "sed 's/strategy: greedy/strategy: gredy/' rep.yaml > bad.yaml; exec \"$SOWER\" check bad.yaml"
refused "--set model.kind" "'gb'" "gp" -- "$SOWER" check rep.yaml --set model.kind=gb
refused "--set nonsense" -- "$SOWER" check rep.yaml --set nonsense
refused "--set modle.kind=gp" "unknown key 'modle'" "did you mean 'model'" -- "$SOWER" check rep.yaml --set modle.kind=gp
refused "--set rounds.batches" "0" -- "$SOWER" check rep.yaml --set 'rounds.batches=[4, 0]'
refused "seed" "-1" -- "$SOWER" check rep.yaml --seed -1
refused "seed" "x" -- "$SOWER" check rep.yaml --seed x
refused "absent.yaml" "no such file" "sower init" -- "$SOWER" run absent.yaml
refused "campaign.yaml" "no such file" -- "$SOWER" run
: > empty.yaml
refused "empty.yaml" -- "$SOWER" run empty.yaml
printf 'sower: 1\nname: [\n' > broken.yaml
refused "broken.yaml:" -- "$SOWER" run broken.yaml
printf 'sower: 1\nsower: 1\n' > twice.yaml
expect 2 "$SOWER" run twice.yaml
says "twice.yaml:2:1"

# rules between keys
refused "hits" "greedy" -- "$SOWER" run rep.yaml --set 'objective={kind: learn}'
refused "reference" "role reference" -- "$SOWER" run rep.yaml --set acquisition.strategy=reference
refused "reference" -- "$SOWER" run rep.yaml --set rounds.initial.strategy=reference
refused "kmeans" "priors" -- "$SOWER" run rep.yaml --set 'priors=[]' --set acquisition.strategy=kmeans
refused "knn" "priors" -- "$SOWER" run rep.yaml --set 'priors=[]' --set model.kind=knn --set acquisition.strategy=random
refused "G010" "include" "exclude" -- "$SOWER" run rep.yaml --set 'constraints.include=[G010]' --set 'constraints.exclude={names: [G010], reason: x}'
refused "readout.column" -- "$SOWER" run rep.yaml --set 'readout={kind: scalar}'
exit 0
