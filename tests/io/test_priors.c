#include "io/priors.h"

#include "faults.h"
#include "io/h5ad.h"
#include "io/table.h"
#include "scratch.h"

#include <math.h>

TestSuite(priors, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static void add_perturbation(sow_screen *s, sow_index i, const char *name, const char *const *agents, sow_index n)
{
    cr_assert_eq(sow_names_add(s->perturbations, name, NULL, &err), SOW_OK);
    s->detail[i].n_agents = n;
    s->detail[i].agent = sow_calloc(n, sizeof(char *));
    s->detail[i].dose = sow_calloc(n, sizeof(double));
    for (sow_index k = 0; k < n; k++) {
        s->detail[i].agent[k] = sow_strdup(agents[k]);
        s->detail[i].dose[k] = NAN;
    }
}

/* Catalogue A, A+B, B, C, D; context "ref" (a reference) measured A = 1, B = 3, C = 8; context "here" (the target) measured A = 5. */
static sow_screen *small_screen(void)
{
    static const char *const names[] = {"A", "A+B", "B", "C", "D"};
    sow_screen *s = NULL;
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_SCALAR, &err), SOW_OK);
    s->detail = sow_calloc(5, sizeof *s->detail);
    for (sow_index i = 0; i < 5; i++)
        add_perturbation(s, i, names[i], i == 1 ? (const char *const[]){"A", "B"} : &names[i], i == 1 ? 2 : 1);
    s->context_role = sow_calloc(2, sizeof *s->context_role);
    s->context_role[0] = SOW_ROLE_REFERENCE;
    s->context_role[1] = SOW_ROLE_TARGET;
    cr_assert_eq(sow_names_add(s->contexts, "ref", NULL, &err), SOW_OK);
    cr_assert_eq(sow_names_add(s->contexts, "here", NULL, &err), SOW_OK);
    cr_assert_eq(sow_names_add(s->features, "y", NULL, &err), SOW_OK);
    static const sow_index who[] = {0, 2, 3};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(sow_screen_add_row(s, who[i], 0, NAN, 1, (double[]){i == 0 ? 1 : i == 1 ? 3 : 8}, NULL, NAN, &err), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 0, 1, NAN, 1, (double[]){5}, NULL, NAN, &err), SOW_OK);
    cr_assert_eq(sow_screen_merge(s, &err), SOW_OK);
    return s;
}

static sow_screen *screen;
static sow_prior_set set;
static sow_prior_coverage coverage[4];

static void clear(void)
{
    sow_prior_set_clear(&set);
    for (int k = 0; k < 4; k++) sow_prior_coverage_clear(&coverage[k]);
}

static void start(void)
{
    scratch_create();
    screen = small_screen();
}

static void stop(void)
{
    clear();
    sow_screen_destroy(screen);
    scratch_remove();
}

TestSuite(prior, .init = start, .fini = stop);

static sow_prior_spec file_spec(const char *name, const char *file, const char *text)
{
    return (sow_prior_spec){.name = name, .file = text ? scratch_write(file, text) : scratch_path(file), .min_set_size = 1};
}

static void read_ok(const sow_prior_spec *specs, sow_index n, const unsigned char *in_pool, sow_index dims)
{
    cr_assert_eq(sow_priors_read(&set, coverage, specs, n, screen, in_pool, dims, 7, NULL, NULL, &err), SOW_OK, "%s", err.message);
}

static void refuses(const sow_prior_spec *spec, sow_status status, const char *message)
{
    clear();
    sow_status st = sow_priors_read(&set, coverage, spec, 1, screen, NULL, 0, 7, NULL, NULL, &err);
    cr_assert_eq(st, status, "%s: %s", sow_status_name(st), err.message);
    cr_assert(strstr(err.message, message), "%s", err.message);
    cr_assert_eq(set.n_priors, 0);
}

static int close_to(double a, double b)
{
    return fabs(a - b) <= 1e-12;
}

/* ---- dense ---- */

Test(prior, lays_a_table_over_the_catalogue_centred_and_scaled_by_column)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "x,gene,note,z\n1,A,hi,5\n3,B,ho,5\n9,C,,5\n4,elsewhere,,5\n");
    spec.key = "gene";
    read_ok(&spec, 1, NULL, 0);
    const sow_prior *p = &set.priors[0];
    cr_assert_eq(p->kind, SOW_PRIOR_DENSE);
    cr_assert_eq(p->dim, 2, "the text column is passed over");
    cr_assert_str_eq(sow_names_get(p->columns, 1), "z");
    cr_assert(p->has[0] && p->has[1] && p->has[2] && p->has[3] && !p->has[4]);
    const double raw[4] = {1, 2, 3, 9}; /* A+B is the mean of A and B */
    double sd = sqrt((2.75 * 2.75 + 1.75 * 1.75 + 0.75 * 0.75 + 5.25 * 5.25) / 3);
    for (int i = 0; i < 4; i++) {
        cr_assert(close_to(p->x[2 * i], (raw[i] - 3.75) / sd), "%d", i);
        cr_assert_eq(p->x[2 * i + 1], 0, "a constant column says nothing");
    }
    cr_assert(p->x[8] == 0 && p->x[9] == 0);
    cr_assert_str_eq(coverage[0].name, "t");
    cr_assert_eq(coverage[0].rows, 4);
    cr_assert_eq(coverage[0].dim, 2);
    cr_assert_eq(coverage[0].covered, 4);
    cr_assert_str_eq(coverage[0].missing, "D");
    cr_assert(set.has_any[3] && !set.has_any[4]);
}

Test(prior, fits_scales_on_the_pool_only_and_looks_the_held_out_up)
{
    const unsigned char pool[5] = {1, 0, 1, 0, 1};
    sow_prior_spec spec = file_spec("t", "t.tsv", "gene\tx\nA\t1\nB\t3\nC\t1000\n");
    read_ok(&spec, 1, pool, 0);
    double sd = sqrt(2.0);
    cr_assert(close_to(set.priors[0].x[0], -1 / sd));
    cr_assert(close_to(set.priors[0].x[2], 1 / sd));
    cr_assert(set.priors[0].has[3] && close_to(set.priors[0].x[3], 998 / sd));
    cr_assert(close_to(set.fused[0] * set.fused[0] + set.fused[2] * set.fused[2], 2), "unit mean square over the pool's rows");
}

Test(prior, takes_an_own_row_of_a_pair_before_its_agents)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x\nA,0\nB,0.5\nA+B,7\n");
    read_ok(&spec, 1, NULL, 0);
    cr_assert(set.priors[0].x[1] > set.priors[0].x[2]);
    cr_assert_not(set.priors[0].has[3]);
}

Test(prior, takes_an_all_zero_row_as_none)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x,y\nA,0,0\nB,1,2\nC,3,5\n");
    read_ok(&spec, 1, NULL, 0);
    cr_assert_not(set.priors[0].has[0]);
    cr_assert(set.priors[0].has[1], "B still speaks for A+B");
    cr_assert_eq(set.priors[0].x[2], set.priors[0].x[4]);
    cr_assert_eq(coverage[0].zero_rows, 1);
    cr_assert_str_eq(coverage[0].missing, "A, D");
}

Test(prior, reads_embeddings_from_h5ad_and_npy)
{
    char *rows[] = {"A", "B", "ctrl"}, *vars[] = {"d0", "d1"};
    double x[] = {1, 2, 3, 4, 0, 0};
    sow_h5ad a = {.n_obs = 3, .n_vars = 2, .obs_names = rows, .var_names = vars, .x = x};
    cr_assert_eq(sow_h5ad_write(scratch_path("e.h5ad"), &a, 1, &err), SOW_OK, "%s", err.message);
    FILE *f = fopen(scratch_path("e.npy"), "wb");
    const char *dict = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n";
    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fputc((int)strlen(dict), f);
    fputc(0, f);
    fputs(dict, f);
    fwrite(x, sizeof *x, 4, f);
    fclose(f);
    sow_prior_spec specs[2] = {file_spec("h", "e.h5ad", NULL), file_spec("n", "e.npy", NULL)};
    specs[1].names = scratch_write("names.txt", "A\nB\n");
    read_ok(specs, 2, NULL, 0);
    cr_assert_eq(coverage[0].zero_rows, 1);
    for (int i = 0; i < 10; i++) cr_assert_eq(set.priors[0].x[i], set.priors[1].x[i]);
    cr_assert_null(set.priors[1].columns);
    cr_assert_eq(set.fused_dim, 4);
    specs[1].names = scratch_write("names.txt", "A\nB\nC\n");
    sow_prior_set_clear(&set);
    refuses(&specs[1], SOW_E_DATA, "3 names for the 2 rows of");
    specs[1].names = scratch_write("names.txt", "A\nA\n");
    refuses(&specs[1], SOW_E_DATA, "names.txt:2: 'A' comes a second time");
    specs[1].names = NULL;
    refuses(&specs[1], SOW_E_CONFIG, "no names in it");
}

Test(prior, takes_a_key_and_columns_from_obs)
{
    char *rows[] = {"r0", "r1"}, *genes[] = {"A", "B"}, *vars[] = {"d0"};
    double x[] = {1, 2}, u[] = {5, 6}, w[] = {1, 0};
    sow_h5ad_column columns[] = {{"gene", SOW_COLUMN_STRING, genes, NULL}, {"u", SOW_COLUMN_NUMBER, NULL, u}, {"w", SOW_COLUMN_NUMBER, NULL, w}};
    sow_h5ad a = {.n_obs = 2, .n_vars = 1, .obs_names = rows, .var_names = vars, .n_obs_columns = 3, .obs = columns, .x = x};
    cr_assert_eq(sow_h5ad_write(scratch_path("e.h5ad"), &a, 0, &err), SOW_OK);
    sow_prior_spec spec = file_spec("h", "e.h5ad", NULL);
    spec.key = "gene";
    spec.n_columns = 1;
    spec.columns = (const char *[]){"u"};
    read_ok(&spec, 1, NULL, 0);
    cr_assert_eq(set.priors[0].dim, 1);
    cr_assert_str_eq(sow_names_get(set.priors[0].columns, 0), "u");
    cr_assert_lt(set.priors[0].x[0], set.priors[0].x[2]);
}

Test(prior, takes_what_a_reference_context_measured)
{
    sow_prior_spec spec = {.name = "transfer", .context = "ref"};
    read_ok(&spec, 1, NULL, 0);
    const sow_prior *p = &set.priors[0];
    cr_assert_eq(p->dim, 1);
    cr_assert(p->has[0] && p->has[1] && p->has[2] && p->has[3] && !p->has[4]);
    cr_assert_lt(p->x[0], p->x[1]);
    cr_assert_lt(p->x[1], p->x[2]);
    cr_assert_lt(p->x[2], p->x[3]);
    clear();
    spec.context = "here";
    refuses(&spec, SOW_E_CONFIG, "context 'here' is a target");
    spec.context = "reff";
    refuses(&spec, SOW_E_CONFIG, "no context 'reff' in the data; did you mean 'ref'?");
}

/* What a model learns from a reference is adjusted for the covariates of the readout; so is the prior made of it. */
Test(prior, takes_the_covariates_out_of_a_reference_context)
{
    static const char *const names[] = {"A", "B", "C", "D"};
    sow_screen *s = NULL;
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_SCALAR, &err), SOW_OK);
    s->detail = sow_calloc(4, sizeof *s->detail);
    for (sow_index i = 0; i < 4; i++) add_perturbation(s, i, names[i], &names[i], 1);
    s->context_role = sow_calloc(1, sizeof *s->context_role);
    s->context_role[0] = SOW_ROLE_REFERENCE;
    cr_assert_eq(sow_names_add(s->contexts, "ref", NULL, &err), SOW_OK);
    cr_assert_eq(sow_names_add(s->features, "y", NULL, &err), SOW_OK);
    cr_assert_eq(sow_names_add(s->covariates, "depth", NULL, &err), SOW_OK);
    const double own[] = {1, -1, -1, 1}, depth[] = {-3, -1, 1, 3}; /* `own` is what the covariate does not explain */
    for (sow_index i = 0; i < 4; i++)
        cr_assert_eq(sow_screen_add_row(s, i, 0, NAN, 1, (double[]){own[i] + 10 * depth[i]}, &depth[i], NAN, &err), SOW_OK);
    cr_assert_eq(sow_screen_merge(s, &err), SOW_OK);
    sow_screen *kept = screen;
    screen = s;
    read_ok(&(sow_prior_spec){.name = "transfer", .context = "ref"}, 1, NULL, 0);
    screen = kept;
    for (int i = 0; i < 4; i++) cr_assert(fabs(set.priors[0].x[i] - own[i] * sqrt(0.75)) < 1e-12, "row %d is %g", i, set.priors[0].x[i]);
    sow_screen_destroy(s);
}

/* ---- sets ---- */

Test(prior, keeps_sets_sparse_and_unites_those_of_a_pair)
{
    sow_prior_spec spec = file_spec("s", "s.gmt", "one\tx\tA\tZ\ntwo\tx\tA\tC\nfar\tx\tY\tZ\nthree\tx\tB\tC\n");
    read_ok(&spec, 1, NULL, 0);
    const sow_prior *p = &set.priors[0];
    cr_assert_eq(p->kind, SOW_PRIOR_SETS);
    cr_assert_null(p->x);
    cr_assert_eq(p->dim, 3, "a set without a perturbation is left out");
    cr_assert_str_eq(sow_names_get(p->columns, 2), "three");
    static const sow_index start_want[] = {0, 2, 5, 6, 8, 8}, member_want[] = {0, 1, 0, 1, 2, 2, 1, 2};
    for (int i = 0; i < 6; i++) cr_assert_eq(p->start[i], start_want[i], "%d", i);
    for (int i = 0; i < 8; i++) cr_assert_eq(p->member[i], member_want[i], "%d", i);
    cr_assert(p->has[3] && !p->has[4]);
    cr_assert_eq(coverage[0].rows, 5);
    cr_assert_eq(coverage[0].dim, 3);
}

Test(prior, leaves_out_sets_that_are_too_small_or_too_large)
{
    sow_prior_spec spec = file_spec("s", "s.gmt", "small\tx\tC\nright\tx\tB\tC\nlarge\tx\tA\tB\tC\tD\n");
    spec.min_set_size = 2;
    spec.max_set_size = 3;
    read_ok(&spec, 1, NULL, 0);
    cr_assert_eq(set.priors[0].dim, 1);
    cr_assert_str_eq(sow_names_get(set.priors[0].columns, 0), "right");
    cr_assert(!set.priors[0].has[0] && set.priors[0].has[1]);
    clear();
    spec.min_set_size = 50;
    refuses(&spec, SOW_E_DATA, "none of its 3 sets has 50 or more members");
}

Test(prior, fuses_sets_as_unit_rows_of_tf_idf)
{
    sow_prior_spec spec = file_spec("s", "s.gmt", "all\tx\tA\tB\tC\tD\nrare\tx\tA\n");
    read_ok(&spec, 1, NULL, 0);
    double common = log(6.0 / 6) + 1, rare = log(6.0 / 3) + 1, norm = sqrt(common * common + rare * rare);
    cr_assert_eq(set.fused_dim, 2);
    cr_assert(close_to(set.fused[0], common / norm));
    cr_assert(close_to(set.fused[1], rare / norm));
    cr_assert(close_to(set.fused[2 * 3], 1) && set.fused[2 * 3 + 1] == 0);
}

/* ---- fusing ---- */

static double distance2(const double *x, sow_index d, int i, int j)
{
    double sum = 0;
    for (sow_index k = 0; k < d; k++) sum += (x[i * d + k] - x[j * d + k]) * (x[i * d + k] - x[j * d + k]);
    return sum;
}

Test(prior, reduces_the_concatenation_to_principal_components)
{
    sow_prior_spec specs[2] = {file_spec("t", "t.csv", "gene,x,y,z\nA,1,0,2\nB,3,1,5\nC,8,2,1\nD,4,4,4\n"),
                               file_spec("s", "s.gmt", "one\tx\tA\tB\ntwo\tx\tB\tC\n")};
    read_ok(specs, 2, NULL, 0);
    cr_assert_eq(set.fused_dim, 5);
    double all[25];
    memcpy(all, set.fused, sizeof all);
    clear();
    read_ok(specs, 2, NULL, 4);
    cr_assert_eq(set.fused_dim, 4, "five centred rows span four dimensions");
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            cr_assert(fabs(distance2(all, 5, i, j) - distance2(set.fused, 4, i, j)) < 1e-9, "%d %d: distances are kept", i, j);
    double total = 0;
    for (int i = 0; i < 5; i++) total += set.fused[i * 4] + set.fused[i * 4 + 3];
    cr_assert(fabs(total) < 1e-9, "components are centred");
}

Test(prior, adds_a_ready_prior_after_the_files)
{
    unsigned char has[5] = {0, 0, 0, 0, 1};
    double x[5] = {0, 0, 0, 0, 2};
    sow_prior given = {.name = "world", .kind = SOW_PRIOR_DENSE, .n_items = 5, .dim = 1, .has = has, .x = x};
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x\nA,1\nB,3\n");
    cr_assert_eq(sow_priors_read(&set, coverage, &spec, 1, screen, NULL, 0, 7, &given, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(set.n_priors, 2);
    cr_assert_str_eq(set.priors[1].name, "world");
    cr_assert_eq(set.priors[1].x[4], 2, "as given");
    cr_assert(set.has_any[4] && !set.has_any[3]);
    cr_assert_eq(set.fused_dim, 2);
    cr_assert(close_to(set.fused[9], 1));
    clear();
    given.n_items = 4;
    cr_assert_eq(sow_priors_read(&set, NULL, NULL, 0, screen, NULL, 0, 7, &given, NULL, &err), SOW_E_SHAPE);
}

Test(prior, is_empty_without_priors)
{
    read_ok(NULL, 0, NULL, 64);
    cr_assert(set.n_priors == 0 && set.fused_dim == 0 && set.n_items == 5 && !set.has_any[0]);
}

/* ---- the shuffled control ---- */

Test(prior, shuffles_rows_and_their_absence_by_the_seed)
{
    char text[4000];
    size_t at = (size_t)snprintf(text, sizeof text, "gene,x\n");
    for (int i = 0; i < 4; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%c,%d\n", "ABCD"[i], 1 << i);
    sow_prior_spec spec = file_spec("t", "t.csv", text);
    spec.shuffle = 1;
    int moved = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        sow_prior_set other = {0};
        cr_assert_eq(sow_priors_read(&set, NULL, &spec, 1, screen, NULL, 0, seed, NULL, NULL, &err), SOW_OK);
        cr_assert_eq(sow_priors_read(&other, NULL, &spec, 1, screen, NULL, 0, seed, NULL, NULL, &err), SOW_OK);
        cr_assert_eq(memcmp(set.priors[0].x, other.priors[0].x, 5 * sizeof(double)), 0, "the same seed gives the same rows");
        double sum = 0;
        for (int i = 0; i < 5; i++) sum += set.priors[0].x[i];
        cr_assert(fabs(sum) < 1e-12);
        moved += !(set.priors[0].x[0] < set.priors[0].x[2] && set.priors[0].x[2] < set.priors[0].x[3] && set.priors[0].x[3] < set.priors[0].x[4]);
        sow_prior_set_clear(&other);
        sow_prior_set_clear(&set);
    }
    cr_assert_geq(moved, 6);
    sow_prior_spec sets = file_spec("s", "s.gmt", "one\tx\tA\ntwo\tx\tA\tB\nthree\tx\tA\tB\tC\n");
    read_ok(&sets, 1, NULL, 0);
    sow_index before = set.priors[0].start[5];
    int covered = 0;
    for (int i = 0; i < 5; i++) covered += set.priors[0].has[i];
    cr_assert(covered > 0 && covered < 5);
    clear();
    sets.shuffle = 1;
    read_ok(&sets, 1, NULL, 0);
    cr_assert_eq(set.priors[0].start[5], before);
    for (int i = 0; i < 5; i++) covered -= set.priors[0].has[i];
    cr_assert_eq(covered, 0, "as many have a row as before");
    for (int i = 0; i < 5; i++) cr_assert_eq(set.priors[0].has[i], set.priors[0].start[i + 1] > set.priors[0].start[i]);
}

/* ---- what is refused ---- */

Test(prior, names_row_and_column_of_a_missing_number)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x,y\nA,1,2\nB,NaN,3\n");
    refuses(&spec, SOW_E_DATA, "t.csv:3: 'B' has no number in column 'x'");
}

Test(prior, names_the_line_of_text_in_a_column_asked_for)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x,note\nA,1,high\nB,2,low\n");
    spec.n_columns = 1;
    spec.columns = (const char *[]){"note"};
    refuses(&spec, SOW_E_DATA, "t.csv:2: column 'note' has 'high' where a number is needed");
    spec.columns = (const char *[]){"xx"};
    refuses(&spec, SOW_E_DATA, "no column 'xx' (prior column)");
    spec.n_columns = 2;
    spec.columns = (const char *[]){"x", "x"};
    refuses(&spec, SOW_E_CONFIG, "asked for twice");
    spec.n_columns = 0;
    spec.key = "gen";
    refuses(&spec, SOW_E_DATA, "no column 'gen' (key of a prior); did you mean 'gene'?");
}

Test(prior, refuses_two_rows_of_one_name)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,x\nA,1\nB,2\nA,3\n");
    refuses(&spec, SOW_E_DATA, "t.csv:4: 'A' has a second row (first: ");
    spec = file_spec("s", "s.gmt", "one\tx\tA\none\tx\tB\n");
    refuses(&spec, SOW_E_DATA, "s.gmt:2: a second set 'one'");
}

Test(prior, shows_names_of_both_sides_when_there_is_no_overlap)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "id,x\nENSG1,1\nENSG2,2\nENSG3,3\nENSG4,4\n");
    refuses(&spec, SOW_E_DATA, "prior 't'");
    cr_assert(strstr(err.message, "none of the 5 perturbations: it names 'ENSG1', 'ENSG2', 'ENSG3', ... and 1 more, the data name 'A', 'A+B', 'B'"), "%s",
              err.message);
}

Test(prior, refuses_a_file_without_numbers_or_none_at_all)
{
    sow_prior_spec spec = file_spec("t", "t.csv", "gene,note\nA,x\n");
    refuses(&spec, SOW_E_DATA, "no numeric column but the key 'gene'");
    spec = file_spec("t", "absent.csv", NULL);
    refuses(&spec, SOW_E_IO, "absent.csv: cannot open");
    spec = (sow_prior_spec){.name = "t"};
    refuses(&spec, SOW_E_CONFIG, "neither a file nor a context");
    spec = file_spec("t", "t.csv", "");
    refuses(&spec, SOW_E_DATA, "the file is empty");
}

static sow_status read_once(sow_error *e)
{
    sow_prior_spec specs[2] = {{.name = "t", .file = scratch_path("t.csv"), .shuffle = 1}, {.name = "s", .file = scratch_path("s.gmt"), .shuffle = 1}};
    sow_prior_set out = {0};
    sow_prior_coverage cover[2];
    memset(cover, 0, sizeof cover);
    sow_status st = sow_priors_read(&out, cover, specs, 2, screen, NULL, 2, 7, NULL, NULL, e);
    sow_prior_set_clear(&out);
    for (int k = 0; k < 2; k++) sow_prior_coverage_clear(&cover[k]);
    return st;
}

Test(prior, survives_every_failing_allocation)
{
    scratch_write("t.csv", "gene,x,y\nA,1,2\nB,2,5\nC,3,4\n");
    scratch_write("s.gmt", "one\tx\tA\tB\ntwo\tx\tB\tC\n");
    every_allocation_may_fail(read_once, 1);
}

/* ---- real priors over the real catalogue ---- */

static sow_status read_genes(sow_screen **out, const char *path)
{
    sow_names *genes = NULL;
    sow_screen *s = NULL;
    cr_assert_eq(sow_file_read_list(&genes, path, &err), SOW_OK);
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_SCALAR, &err), SOW_OK);
    s->detail = sow_calloc(sow_names_count(genes), sizeof *s->detail);
    for (sow_index i = 0; i < sow_names_count(genes); i++) add_perturbation(s, i, sow_names_get(genes, i), (const char *const[]){sow_names_get(genes, i)}, 1);
    sow_names_destroy(genes);
    *out = s;
    return SOW_OK;
}

Test(priors, covers_the_essential_genes_with_the_real_priors)
{
    if (access(SOWER_SHARED_DIR "/data/README.md", R_OK) != 0) {
        fprintf(stderr, "SKIPPED: needs ../shared/data\n");
        cr_skip_test("needs ../shared/data");
    }
    cr_assert_eq(read_genes(&screen, SOWER_SHARED_DIR "/data/essential_CEGv2.txt"), SOW_OK);
    sow_prior_spec specs[3] = {{.name = "reactome", .file = SOWER_SHARED_DIR "/data/prior_reactome.gmt.gz", .min_set_size = 2},
                               {.name = "coessential", .file = SOWER_SHARED_DIR "/data/prior_coessential_umap.tsv.gz", .key = "gene_names",
                                .n_columns = 2, .columns = (const char *[]){"hUMAP_x", "hUMAP_y"}},
                               {.name = "vae", .file = SOWER_SHARED_DIR "/data/prior_depmap_vae.csv.gz"}};
    sow_prior_coverage c[3];
    memset(c, 0, sizeof c);
    cr_assert_eq(sow_priors_read(&set, c, specs, 3, screen, NULL, 16, 1, NULL, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(set.fused_dim, 16);
    cr_assert_eq(c[1].rows, 17634);
    cr_assert_eq(c[1].dim, 2);
    cr_assert_eq(c[2].rows, 2718);
    cr_assert_eq(c[2].dim, 72);
    for (int k = 0; k < 3; k++) {
        cr_assert(c[k].covered > 400 && c[k].covered <= 684, "%s covers %lld", c[k].name, (long long)c[k].covered);
        sow_prior_coverage_clear(&c[k]);
    }
    for (sow_index i = 0; i < set.n_items * 16; i++) cr_assert(isfinite(set.fused[i]));
    sow_prior_set_clear(&set);
    sow_screen_destroy(screen);
}
