# The example campaigns: those whose data are here check; without the data each says so in one line.
. "$(dirname "$0")/lib.sh"
mkdir -p a/b/empty
cd a/b || exit 1
for yaml in "$source_dir"/campaigns/*.yaml; do
    name=$(basename "$yaml")
    cp "$yaml" empty/
    case "$name" in
    sweep-*) # every arm is opened, and nothing is played; of the large one two arms
        set --
        case "$name" in
        sweep-budget.yaml | sweep-budget-morph.yaml) set -- --set 'allocations={60+160: {initial: 60, batches: [160]}, "220": {initial: 220}}' ;;
        sweep-budget-2000.yaml) # and of fewer perturbations
            set -- --set 'strategies=[random]' --set 'allocations={"500": {initial: 100}}' --set set.oracle.perturbations=300 --set set.oracle.held_out.count=30 ;;
        esac
        [ "$name" = sweep-cells.yaml ] && set -- --set 'strategies=[random]' --set 'allocations={25-cells: {initial: 40, batches: [40], cells_per_perturbation: 25}}'
        expect 0 "$SOWER" simulate "empty/$name" --emit slurm --out "sweep-of-$name" "$@"
        continue
        ;;
    esac
    needs=$(grep -c 'file: \.\./\.\./shared' "$yaml")
    if [ "$needs" = 0 ]; then
        expect 0 "$SOWER" check "empty/$name"
        continue
    fi
    for command in check run plan; do
        refused "shared/data/" "no such file" -- "$SOWER" $command "empty/$name"
    done
    if [ -d "$source_dir/../shared/data" ]; then
        before=$(ls -d "$source_dir"/campaigns/* | cksum)
        expect 0 "$SOWER" check "$yaml"
        prints "${name%.yaml}: the campaign file and its data are fine" "pool" "bill"
        equal "$(ls -d "$source_dir"/campaigns/* | cksum)" "$before" "files beside $name after check"
    else
        note_skip "$name needs ../shared/data"
    fi
done
ls -d empty/*.sower 2> /dev/null && fail "a folder was made"
exit 0
