# What the tests of the program share: a scratch folder, fixtures from fixed formulas, and checks that say what went wrong.
# A test starts with:  . "$(dirname "$0")/lib.sh"  and gets the program as its first argument, the folder of the test's tools as its second.
set -u
export LC_ALL=C
SOWER=$1
TOOLS=${2:-}
test_name=$(basename "$0" .sh)
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/sower-$test_name-XXXXXX") || exit 1
trap 'chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export SOWER_CACHE=$scratch/cache # single-cell files of the source folder leave nothing beside them

# ---- checks

fail() { # fail MESSAGE: with what the last command said
    {
        echo "FAILED ($test_name): $*"
        for f in out err; do
            [ -s "$scratch/$f" ] && echo "--- std$f of the last command:" && head -n 30 "$scratch/$f"
        done
    } >&2
    exit 1
}

skip() { # skip REASON: the whole test, visibly
    echo "SKIPPED-ALL: $test_name: $*"
    exit 77
}

note_skip() { # one part of a test
    echo "SKIPPED: $test_name: $*" >&2
}

expect() { # expect CODE COMMAND...: runs it into files out and err, and checks its exit code
    want=$1
    shift
    "$@" > "$scratch/out" 2> "$scratch/err"
    code=$?
    [ "$code" = "$want" ] || fail "exit code $code instead of $want: $*"
}

says() { # every TEXT is on stderr
    for text in "$@"; do
        grep -qF -- "$text" "$scratch/err" || fail "stderr lacks '$text'"
    done
}

prints() { # every TEXT is on stdout
    for text in "$@"; do
        grep -qF -- "$text" "$scratch/out" || fail "stdout lacks '$text'"
    done
}

lines_said() { # stderr has so many lines
    n=$(wc -l < "$scratch/err")
    [ "$n" -eq "$1" ] || fail "stderr has $n lines instead of $1"
}

refused() { # refused TEXT... -- COMMAND...: exit 2, ONE line with every TEXT on stderr, nothing on stdout, no campaign folder
    words=$(mktemp "$scratch/words-XXXXXX")
    while [ "$1" != -- ]; do
        printf '%s\n' "$1" >> "$words"
        shift
    done
    shift
    expect 2 "$@"
    while IFS= read -r text; do
        says "$text"
    done < "$words"
    rm -f "$words"
    lines_said 1
    [ -s "$scratch/out" ] && fail "something on stdout"
    for d in ./*.sower; do
        [ -e "$d" ] && fail "a campaign folder was left: $d"
    done
    return 0
}

equal() { # equal ACTUAL WANTED WHAT
    [ "$1" = "$2" ] || fail "$3: '$1' instead of '$2'"
}

same() { # two files have the same bytes
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

differ() {
    cmp -s "$1" "$2" && fail "$1 and $2 are the same"
    return 0
}

results_of() { # results_of FOLDER: digest of everything that two runs of one campaign must share, byte for byte
    (cd "$1" && cat metrics.csv rounds/*/batch.csv rounds/*/order.csv rounds/*/metrics.json && ls rounds) | cksum
}

nothing_half_written() { # no temporary file in the campaign's folder
    left=$(find "$1" -name '*tmp*')
    [ -z "$left" ] || fail "half-written files are left: $left"
}

json() { # json FILE PATH: the value there ("bill.total", "picks.0.reason", "rounds.#" for a length); fails when FILE is not JSON
    "$TOOLS/json_get" "$1" "$2" || fail "$1 is not JSON, or has no $2"
}

# ---- CSV of batch.csv: names have no commas, reasons are quoted

picks() { # names in rank order
    sed 1d "$1" | cut -d, -f2
}

metric() { # metric FOLDER ROUND NAME: a campaign-level row
    awk -F, -v r="$2" -v m="$3" '$1 == r && $3 == "" && $4 == "all" && $5 == m { print $6 }' "$1/metrics.csv"
}

# ---- fixtures

# screen N: gene,score,n_cells,fdr for G001 ... The score is a smooth function of the two coordinates of `layout` and some scatter.
screen() {
    awk -v n="$1" 'BEGIN {
        print "gene,score,n_cells,fdr"
        for (i = 1; i <= n; i++) {
            x = (i * 37 % 101) / 101; y = (i * 53 % 97) / 97
            printf "G%03d,%.4f,%d,%.4f\n", i, 3 * sin(4 * x) + 2 * y * y + ((i * 7919) % 13 - 6) / 20, 60 + (i * 29) % 80, (i * 31 % 100) / 100
        }
    }'
}

layout() { # layout N: the prior that goes with it; every 20th gene is missing
    awk -v n="$1" 'BEGIN {
        print "gene,x,y"
        for (i = 1; i <= n; i++) if (i % 20) printf "G%03d,%.5f,%.5f\n", i, (i * 37 % 101) / 101, (i * 53 % 97) / 97
    }'
}

gene_sets() { # gene_sets N: ten sets of n/10, and "first" with the first 12 genes
    awk -v n="$1" 'BEGIN {
        OFS = "\t"
        for (s = 0; s < 10; s++) {
            line = "set " s "\tmade"
            for (i = 1; i <= n; i++) if (i % 10 == s) line = line sprintf("\tG%03d", i)
            print line
        }
        line = "first\tmade"
        for (i = 1; i <= 12; i++) line = line sprintf("\tG%03d", i)
        print line
    }'
}

# simulated [FILE]: a small campaign against the built-in simulator
simulated() {
    cat > "${1:-sim.yaml}" <<YAML
sower: 1
name: sim
seed: 11
oracle: {kind: generative, perturbations: 90, modules: 9, prior_dims: 6, held_out: {fraction: 0.2}}
objective: {kind: hits, top: 0.1}
model: {kind: gp, iterations: 15}
acquisition: {strategy: ucb}
rounds: {initial: {size: 12, strategy: random}, batches: [8, 8]}
design: {guides_per_target: 2, cells_per_perturbation: 100, control_share: 0.08, reads_per_cell: 20000}
costs: {currency: EUR, per_round: 2000, per_guide: 15, per_cell: 0.086, per_million_reads: 0.374, weeks_per_round: 4}
YAML
}

# replayed [FILE]: a small campaign that replays a finished screen; writes its data beside it
replayed() {
    screen 120 > screen.csv
    layout 120 > layout.csv
    gene_sets 120 > sets.gmt
    cat > "${1:-rep.yaml}" <<YAML
sower: 1
name: rep
seed: 5
data:
  sources:
    - {file: screen.csv, role: target, context: K562, perturbation: {column: gene}, cells: {column: n_cells}}
readout: {kind: scalar, column: score}
priors:
  - {name: layout, file: layout.csv, key: gene}
  - {name: sets, file: sets.gmt}
model: {kind: gp, iterations: 15}
objective: {kind: hits, top: 0.1}
acquisition: {strategy: greedy}
rounds: {initial: {size: 24, strategy: random}, batches: [10, 10]}
oracle: {kind: replay, held_out: {fraction: 0.2}}
design: {guides_per_target: 2, cells_per_perturbation: 100}
costs: {per_round: 100, per_guide: 1.5, per_cell: 0.01, weeks_per_round: 2}
YAML
}

# at_lab [FILE]: people measure; the target file is a list of candidates without a readout
at_lab() {
    { screen 80 | cut -d, -f1; echo NT; } > candidates.csv
    layout 80 > layout.csv
    cat > "${1:-lab.yaml}" <<YAML
sower: 1
name: lab
seed: 3
data:
  sources:
    - {file: candidates.csv, role: target, context: donor 1, perturbation: {column: gene, control: NT}, cells: {column: n_cells}}
readout: {kind: scalar, column: score}
priors:
  - {name: layout, file: layout.csv, key: gene}
model: {kind: gp, iterations: 15}
objective: {kind: hits, top: 0.1}
acquisition: {strategy: ucb}
rounds: {initial: {size: 10, strategy: random}, batches: [6, 6]}
oracle: {kind: lab}
design: {guides_per_target: 2, cells_per_perturbation: 60}
costs: {per_round: 100}
YAML
}

# measured_rows BATCH [N]: what a lab would send for the first N picks (all): the rows of `screen` with a header
measured_rows() {
    screen 80 > whole.csv
    head -n 1 whole.csv
    picks "$1" | head -n "${2:-1000}" | while IFS= read -r name; do
        grep "^$name," whole.csv
    done
}

# cells_folder FOLDER: single cells in the 10x layout with their labels (labels.csv): 12 perturbations G01 ... of 24 cells in "here", 6 of them in "there",
# 60 controls each, 30 genes (G01 ... G12 among them), two lanes
cells_folder() {
    mkdir -p "$1"
    awk -v dir="$1" 'BEGIN {
        genes = 30
        for (g = 1; g <= genes; g++) {
            name = g <= 12 ? sprintf("G%02d", g) : sprintf("X%02d", g)
            printf "ID%02d\t%s\tGene Expression\n", g, name > (dir "/features.tsv")
        }
        print "barcode,gene,line,lane" > (dir "/labels.csv")
        n = 0; entries = 0
        for (c = 0; c < 2; c++) for (p = 0; p <= (c ? 6 : 12); p++) for (k = 0; k < (p ? 24 : 60); k++) {
            n++
            barcode = sprintf("B%04d-1", n)
            print barcode > (dir "/barcodes.tsv")
            print barcode "," (p ? sprintf("G%02d", p) : "nt") "," (c ? "there" : "here") ",L" (k % 2) > (dir "/labels.csv")
            for (g = 1; g <= genes; g++) {
                v = 1 + (n * 31 + g * 17 + n * g) % 7
                if (g == p) v = int(v / 3)
                if (p && g == 13 + (p * 5) % 17) v += 6
                if (p && g == 13 + (p * 3 + 1) % 17) v = int(v / 4)
                if (v > 0) { entries++; row[entries] = g " " n " " v }
            }
        }
        print "%%MatrixMarket matrix coordinate integer general" > (dir "/matrix.mtx")
        print genes, n, entries > (dir "/matrix.mtx")
        for (i = 1; i <= entries; i++) print row[i] > (dir "/matrix.mtx")
    }'
}

# on_cells [FILE]: a small campaign that replays single cells; writes its data beside it
on_cells() {
    cells_folder screen
    awk 'BEGIN { print "gene,x,y"; for (p = 1; p <= 12; p++) printf "G%02d,%.4f,%.4f\n", p, (p * 5 % 17) / 17, (p * 3 % 17) / 17 }' > layout.csv
    cat > "${1:-cells.yaml}" <<YAML
sower: 1
name: cells
seed: 3
data:
  sources:
    - {file: screen, labels: screen/labels.csv, role: target, context: {column: line}, contexts: [here], perturbation: {column: gene, control: nt}, technical_batch: lane}
    - {file: screen, labels: screen/labels.csv, role: reference, context: {column: line}, contexts: [there], perturbation: {column: gene, control: nt}, technical_batch: lane}
readout: {kind: cells}
features: {min_cells_per_perturbation: 8}
priors:
  - {name: layout, file: layout.csv, key: gene}
model: {kind: gp, iterations: 10}
acquisition: {strategy: max-variance}
rounds: {initial: {size: 4, strategy: random}, batches: [3]}
oracle: {kind: replay, held_out: {count: 3}}
design: {guides_per_target: 2, cells_per_perturbation: 20, control_share: 0.2}
costs: {per_round: 100, per_cell: 0.01}
evaluation: {de_genes: 8}
YAML
}
