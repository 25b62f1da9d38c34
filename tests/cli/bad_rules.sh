# A campaign file that reads well but asks for what its data or its models cannot give: one line, exit 2, nothing written.
. "$(dirname "$0")/lib.sh"
replayed
for command in run check plan; do
    refused "round 0 asks for 97" "a pool of 96" "rounds.initial.size" -- "$SOWER" $command rep.yaml --set rounds.initial.size=97
    refused "round 2 asks for 70" "only 62 are left" "rounds.batches" -- "$SOWER" $command rep.yaml --set 'rounds.batches=[10, 70]'
done
refused "thompson" "joint draws" "kind: gp" -- "$SOWER" run rep.yaml --set model.kind=linear --set acquisition.strategy=thompson
refused "ucb" "round 0" "random" -- "$SOWER" run rep.yaml --set rounds.initial.strategy=ucb
refused "constraints.include" "'G130'" -- "$SOWER" run rep.yaml --set 'constraints.include=[G130]'
refused "constraints.exclude" "'G01'" "did you mean 'G" -- "$SOWER" run rep.yaml --set 'constraints.exclude={names: [G01], reason: typo}'
printf 'G010\n' > no.txt
refused "constraints.include" "'G010'" "cannot be chosen" "essential" -- "$SOWER" run rep.yaml --set 'constraints.include=[G010]' \
    --set 'constraints.exclude={file: no.txt, reason: essential}'
refused "G010" "held_out" "include" -- "$SOWER" run rep.yaml --set 'constraints.include=[G010]' --set 'oracle.held_out={list: no.txt}'
printf 'G999\n' > unknown.txt
refused "unknown.txt" "'G999'" -- "$SOWER" run rep.yaml --set 'oracle.held_out={list: unknown.txt}'
refused "held_out" "500" -- "$SOWER" run rep.yaml --set 'oracle.held_out={count: 500}'
screen 120 | sed 1d | cut -d, -f1 > all.txt
refused "nothing is left to choose from" -- "$SOWER" run rep.yaml --set 'constraints.exclude={file: all.txt, reason: everything}'

# quotas that cannot be met name themselves, before anything is computed
refused "at least 13" "first" -- "$SOWER" run rep.yaml --set 'constraints.quota=[{prior: sets, set: first, at_least: 13}]'
refused "at most 0" "first" -- "$SOWER" run rep.yaml --set 'constraints.quota=[{prior: sets, set: first, at_most: 0}]' --set 'constraints.include=[G005]'
refused "no set 'frist'" "did you mean 'first'" -- "$SOWER" run rep.yaml --set 'constraints.quota=[{prior: sets, set: frist, at_most: 3}]'
refused "'layout'" "gene sets" -- "$SOWER" run rep.yaml --set 'constraints.quota=[{prior: layout, set: x, at_most: 3}]'
refused "no perturbation 'G500'" -- "$SOWER" run rep.yaml --set 'constraints.quota=[{names: [G500], at_most: 3}]'
awk 'BEGIN { for (i = 1; i <= 120; i++) printf "%sG%03d", (i > 1 ? ", " : ""), i }' > names
refused "at most 4" -- "$SOWER" run rep.yaml --set "constraints.quota=[{names: [$(cat names)], at_most: 4}]"
refused "at most 30" "campaign" -- "$SOWER" check rep.yaml --set "constraints.quota=[{names: [$(cat names)], at_most: 30, per: campaign}]"
exit 0
