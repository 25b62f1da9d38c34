#include "io/source.h"

#include "faults.h"
#include "io/h5ad.h"
#include "scratch.h"

#include <math.h>

TestSuite(source, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* A table source over `text`, perturbations in column gene; the test changes the rest. */
static sow_source table_source(const char *name, const char *text)
{
    return (sow_source){.file = strdup(scratch_write(name, text)), .context = "K562", .perturbation_column = "gene", .control = "NT",
                        .duplicates_allowed = 1};
}

static sow_readout_spec scalar(const char *column)
{
    return (sow_readout_spec){.kind = SOW_READOUT_SCALAR, .column = column};
}

static sow_screen *read_ok(sow_dropped *dropped, const sow_source *sources, sow_index n, const sow_readout_spec *readout)
{
    sow_screen *s = NULL;
    cr_assert_eq(sow_sources_read(&s, dropped, sources, n, readout, NULL, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < n; i++) free((char *)sources[i].file);
    return s;
}

static void refuses(const sow_source *sources, sow_index n, const sow_readout_spec *readout, sow_status status, const char *message)
{
    sow_screen *s = NULL;
    sow_dropped dropped = {0};
    sow_status st = sow_sources_read(&s, &dropped, sources, n, readout, NULL, &err);
    cr_assert_eq(st, status, "%s: %s", sow_status_name(st), err.message);
    cr_assert_null(s);
    cr_assert(strstr(err.message, message), "%s", err.message);
    for (sow_index i = 0; i < n; i++) free((char *)sources[i].file);
    sow_dropped_clear(&dropped);
}

static double value_of(const sow_screen *s, const char *perturbation, const char *context)
{
    sow_index row = sow_screen_find(s, sow_names_find(s->perturbations, perturbation), sow_names_find(s->contexts, context));
    return row < 0 ? (double)NAN : s->values[row * sow_screen_n_features(s)];
}

static int dropped_has(const sow_dropped *d, const char *what, const char *names, sow_index count)
{
    for (sow_index i = 0; i < d->n; i++)
        if (strstr(d->item[i].what, what)) return strcmp(d->item[i].names, names) == 0 && d->item[i].count == count;
    return 0;
}

/* ---- what is read ---- */

Test(source, sorts_the_catalogue_and_leaves_controls_out)
{
    sow_source src = table_source("s.csv", "gene,y\nTP53,1\nNT,9\nMYC,2\n");
    sow_readout_spec r = scalar("y");
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, &src, 1, &r);
    cr_assert_eq(sow_screen_n_perturbations(s), 2);
    cr_assert_str_eq(sow_names_get(s->perturbations, 0), "MYC");
    cr_assert_str_eq(sow_names_get(s->features, 0), "y");
    cr_assert_str_eq(sow_names_get(s->contexts, 0), "K562");
    cr_assert_eq(s->context_role[0], SOW_ROLE_TARGET);
    cr_assert_eq(value_of(s, "TP53", "K562"), 1);
    cr_assert(isnan(s->cells[0]) && isnan(s->hit[0]));
    cr_assert(dropped_has(&d, "s.csv: control rows", "NT", 1));
    cr_assert_eq(s->detail[1].n_agents, 1);
    cr_assert_str_eq(s->detail[1].agent[0], "TP53");
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

Test(source, takes_combinations_in_any_order_and_drops_the_control_in_them)
{
    sow_source src = table_source("s.csv", "gene,y\nB+A,1\nA+B,3\nA+NT,5\n A + A ,7\nNT+NT,0\n");
    src.separator = "+";
    sow_readout_spec r = scalar("y");
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(sow_screen_n_perturbations(s), 2);
    cr_assert_eq(value_of(s, "A+B", "K562"), 2, "two replicates");
    cr_assert_eq(value_of(s, "A", "K562"), 6, "A alone, twice");
    sow_index pair = sow_names_find(s->perturbations, "A+B");
    cr_assert_eq(s->detail[pair].n_agents, 2);
    cr_assert_str_eq(s->detail[pair].agent[0], "A");
    cr_assert_str_eq(s->detail[pair].agent[1], "B");
    sow_screen_destroy(s);
}

Test(source, does_not_split_names_without_a_separator)
{
    sow_source src = table_source("s.csv", "gene,y\nB+A,1\nR(+)-drug,3\n");
    sow_readout_spec r = scalar("y");
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_geq(sow_names_find(s->perturbations, "B+A"), 0);
    cr_assert_geq(sow_names_find(s->perturbations, "R(+)-drug"), 0);
    sow_screen_destroy(s);
}

Test(source, tells_doses_apart)
{
    sow_source src = table_source("s.csv", "gene,uM,y\nDMSO,0,0\nX,1,1\nX,1.0,3\nX,10,5\nX+Y,0.5+2,6\nY,,7\n");
    src.control = "DMSO";
    src.dose_column = "uM";
    src.separator = "+";
    sow_readout_spec r = scalar("y");
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(sow_screen_n_perturbations(s), 4);
    cr_assert_eq(value_of(s, "X@1", "K562"), 2);
    cr_assert_eq(value_of(s, "X@10", "K562"), 5);
    cr_assert_eq(value_of(s, "Y", "K562"), 7);
    sow_index pair = sow_names_find(s->perturbations, "X@0.5+Y@2");
    cr_assert_geq(pair, 0);
    cr_assert_eq(s->detail[pair].dose[1], 2);
    cr_assert_str_eq(s->detail[pair].agent[1], "Y");
    sow_screen_destroy(s);
}

Test(source, refuses_doses_that_are_no_numbers_or_too_few)
{
    sow_readout_spec r = scalar("y");
    sow_source src = table_source("s.csv", "gene,uM,y\nX,10uM,1\n");
    src.dose_column = "uM";
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:2: the dose '10uM' is no number");
    src = table_source("s.csv", "gene,uM,y\nX+Y+Z,1+2,1\n");
    src.dose_column = "uM";
    src.separator = "+";
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:2: 2 doses for 3 agents");
}

Test(source, weighs_replicates_by_cells_or_by_variance)
{
    sow_source src = table_source("s.csv", "gene,y,n,v\nA,1,10,1\nA,4,20,0.5\nB,2,5,1\n");
    src.cells_column = "n";
    sow_readout_spec r = scalar("y");
    r.n_adjust = 1;
    r.adjust_for = (const char *[]){"log(cells)"};
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(value_of(s, "A", "K562"), 3);
    cr_assert_eq(s->cells[0], 30);
    cr_assert_eq(s->replicates[0], 2);
    cr_assert_str_eq(sow_names_get(s->covariates, 0), "log(cells)");
    cr_assert(fabs(s->covariate[0] - log(30)) < 1e-15);
    sow_screen_destroy(s);
    src = table_source("s.csv", "gene,y,n,v\nA,1,10,1\nA,4,10,0.25\n");
    src.cells_column = "n";
    src.variance_column = "v";
    r.n_adjust = 0;
    s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(value_of(s, "A", "K562"), (1 + 4 * 4) / 5.0);
    sow_screen_destroy(s);
}

Test(source, applies_each_transform_before_merging)
{
    static const struct {
        const char *name;
        double of_8;
    } cases[] = {{"none", 8}, {NULL, 8}, {"log1p", 2.1972245773362196}, {"log", 2.0794415416798357}, {"log2", 3}, {"log10", 0.9030899869919435},
                 {"sqrt", 2.8284271247461903}, {"abs", 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sow_source src = table_source("s.csv", "gene,y\nA,8\n");
        sow_readout_spec r = scalar("y");
        r.transform = cases[i].name;
        sow_screen *s = read_ok(NULL, &src, 1, &r);
        cr_assert(fabs(s->values[0] - cases[i].of_8) < 1e-14, "%s", cases[i].name);
        sow_screen_destroy(s);
    }
    sow_source src = table_source("s.csv", "gene,y\nA,8\n");
    sow_readout_spec r = scalar("y");
    r.transform = "sqr";
    refuses(&src, 1, &r, SOW_E_CONFIG, "unknown transform 'sqr'; did you mean 'sqrt'? allowed are none, log1p");
}

/* The rank of a scalar among all rows would tell a strategy of what it has not measured. */
Test(source, ranks_the_numbers_of_a_profile_but_no_scalars)
{
    sow_source src = table_source("s.csv", "gene,a,b,c,d\nA,8,-3,100,8\nB,1,2,3,4\n");
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE, .transform = "rank"};
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    const double expected[] = {0.5, 0.125, 0.875, 0.5, 0.125, 0.375, 0.625, 0.875};
    for (int i = 0; i < 8; i++) cr_assert_eq(s->values[i], expected[i], "number %d is %g", i, s->values[i]);
    sow_screen_destroy(s);
    src = table_source("s.csv", "gene,y\nA,8\nB,9\n");
    r = scalar("y");
    r.transform = "rank";
    refuses(&src, 1, &r, SOW_E_CONFIG, "rank is for profiles");
}

Test(source, drops_rows_it_cannot_use_by_name)
{
    sow_source src = table_source("s.csv", "gene,y,n,c\nA,1,10,1\nB,NaN,10,1\nC,-2,10,1\nD,1,0,1\nE,1,,1\nF,1,10,NA\n,1,10,1\nG,inf,10,1\n");
    src.cells_column = "n";
    sow_readout_spec r = scalar("y");
    r.transform = "log1p";
    r.n_adjust = 2;
    r.adjust_for = (const char *[]){"log(cells)", "c"};
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, &src, 1, &r);
    cr_assert_eq(sow_screen_n_perturbations(s), 1);
    cr_assert(dropped_has(&d, "s.csv: NaN readout", "B, G", 2));
    cr_assert(dropped_has(&d, "outside the transform's domain", "C", 1));
    cr_assert(dropped_has(&d, "no cells", "D, E", 2));
    cr_assert(dropped_has(&d, "NaN in a column of adjust_for", "F", 1));
    cr_assert_eq(d.n, 5);
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

Test(source, keeps_a_row_of_unknown_cells_when_nothing_needs_them)
{
    sow_source src = table_source("s.csv", "gene,y,n\nA,1,\nB,2,7\n");
    src.cells_column = "n";
    sow_readout_spec r = scalar("y");
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(s->n_rows, 2);
    cr_assert(isnan(s->cells[0]) && s->weight[0] == 1);
    cr_assert(s->cells[1] == 7 && s->weight[1] == 7);
    sow_screen_destroy(s);
}

Test(source, shortens_long_lists_of_dropped_names)
{
    char text[2000];
    size_t at = (size_t)snprintf(text, sizeof text, "gene,y\nA,1\n");
    for (int i = 0; i < 30; i++) at += (size_t)snprintf(text + at, sizeof text - at, "X%02d,\n", i);
    sow_source src = table_source("s.csv", text);
    sow_readout_spec r = scalar("y");
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, &src, 1, &r);
    cr_assert_eq(d.item[0].count, 30);
    cr_assert(strncmp(d.item[0].names, "X00, X01", 8) == 0 && strstr(d.item[0].names, "X19, ... and 10 more"), "%s", d.item[0].names);
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

Test(source, reads_the_objective_and_lets_a_reference_lack_it)
{
    sow_source src[2] = {table_source("a.csv", "gene,y,fdr\nA,1,0.01\nA,1,0.2\nB,2,\n"), table_source("b.csv", "gene,y\nA,5\n")};
    src[1].context = "RPE1";
    src[1].role = SOW_ROLE_REFERENCE;
    sow_readout_spec r = scalar("y");
    r.hit_column = "fdr";
    sow_screen *s = read_ok(NULL, src, 2, &r);
    cr_assert_eq(s->context_role[0], SOW_ROLE_TARGET);
    cr_assert_eq(s->context_role[1], SOW_ROLE_REFERENCE);
    cr_assert_eq(s->n_rows, 3);
    cr_assert(s->hit[0] == 0.01 && isnan(s->hit[1]) && isnan(s->hit[2]));
    sow_screen_destroy(s);
    src[0] = table_source("a.csv", "gene,y\nA,1\n");
    refuses(src, 1, &r, SOW_E_DATA, "no column 'fdr' (objective)");
}

Test(source, takes_the_better_of_two_objective_columns)
{
    const char *text = "gene,y,neg,pos\nA,1,0.9,0.01\nB,2,0.02,0.8\nC,3,,0.5\nD,4,,\n";
    sow_source src = table_source("a.csv", text);
    sow_readout_spec r = scalar("y");
    r.hit_column = "neg";
    r.or_hit_column = "pos";
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert(s->hit[0] == 0.01 && s->hit[1] == 0.02 && s->hit[2] == 0.5 && isnan(s->hit[3]));
    sow_screen_destroy(s);
    r.hit_is_above = 1;
    src = table_source("a.csv", text);
    s = read_ok(NULL, &src, 1, &r);
    cr_assert(s->hit[0] == 0.9 && s->hit[1] == 0.8 && s->hit[2] == 0.5 && isnan(s->hit[3]));
    sow_screen_destroy(s);
    r.or_hit_column = "positive";
    src = table_source("a.csv", text);
    refuses(&src, 1, &r, SOW_E_DATA, "no column 'positive' (objective)");
}

Test(source, splits_one_file_into_contexts_by_a_column)
{
    const char *text = "gene,line,y\nA,k562,1\nA,rpe1,2\nB,rpe1,3\nA,jurkat,4\n";
    sow_source src[2] = {table_source("a.csv", text), table_source("b.csv", text)};
    src[0].context_column = src[1].context_column = "line";
    src[0].n_keep_contexts = 1;
    src[0].keep_contexts = (const char *[]){"rpe1"};
    src[1].n_keep_contexts = 2;
    src[1].keep_contexts = (const char *[]){"k562", "jurkat"};
    src[1].role = SOW_ROLE_REFERENCE;
    sow_readout_spec r = scalar("y");
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, src, 2, &r);
    cr_assert_eq(sow_names_count(s->contexts), 3);
    cr_assert_eq(s->context_role[sow_names_find(s->contexts, "rpe1")], SOW_ROLE_TARGET);
    cr_assert_eq(s->context_role[sow_names_find(s->contexts, "jurkat")], SOW_ROLE_REFERENCE);
    cr_assert_eq(value_of(s, "A", "jurkat"), 4);
    cr_assert_eq(d.n, 0, "rows of contexts that were not asked for are not 'dropped'");
    sow_screen_destroy(s);
}

Test(source, names_a_context_after_the_file_when_nothing_else_does)
{
    sow_source src = table_source("donor1.csv", "gene,y\nA,1\n");
    src.context = NULL;
    sow_readout_spec r = scalar("y");
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_str_eq(sow_names_get(s->contexts, 0), "donor1");
    sow_screen_destroy(s);
}

/* ---- profiles ---- */

Test(source, takes_every_other_numeric_column_of_a_table_as_a_profile)
{
    sow_source src = table_source("p.csv", "gene,rep,n,g1,note,g2,half\nA,1,10,0.5,x,1,1\nA,2,30,1.5,y,2,2\nB,1,5,3,z,4,oops\nC,1,5,3,z,,3\n");
    src.replicate_column = "rep";
    src.cells_column = "n";
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE};
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, &src, 1, &r);
    cr_assert_eq(sow_screen_n_features(s), 2);
    cr_assert_str_eq(sow_names_get(s->features, 0), "g1");
    cr_assert_str_eq(sow_names_get(s->features, 1), "g2");
    cr_assert_eq(s->n_rows, 2);
    cr_assert_eq(s->values[0], 1.25);
    cr_assert_eq(s->values[1], 1.75);
    cr_assert(dropped_has(&d, "columns left out of the profile", "half", 1));
    cr_assert(dropped_has(&d, "NaN readout", "C", 1));
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

static const char *write_profiles(const char *name, char **genes, char **vars, sow_index n_vars, double *x)
{
    char *rows[] = {"r0", "r1"};
    sow_h5ad_column column = {"gene", SOW_COLUMN_STRING, genes, NULL};
    sow_h5ad a = {.n_obs = 2, .n_vars = n_vars, .obs_names = rows, .var_names = vars, .n_obs_columns = 1, .obs = &column, .x = x};
    const char *path = scratch_path(name);
    cr_assert_eq(sow_h5ad_write(path, &a, 0, &err), SOW_OK, "%s", err.message);
    return path;
}

Test(source, joins_h5ad_and_table_profiles_on_the_genes_they_share)
{
    char *genes[] = {"A", "B"}, *vars[] = {"g3", "g1", "g2"};
    double x[] = {1, 2, 3, 4, 5, 6};
    sow_source src[2] = {{.file = strdup(write_profiles("a.h5ad", genes, vars, 3, x)), .context = "one", .perturbation_column = "gene"},
                         table_source("b.csv", "gene,g1,g3,g9\nA,10,30,90\n")};
    src[1].context = "two";
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE, .transform = "sqrt"};
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, src, 2, &r);
    cr_assert_eq(sow_screen_n_features(s), 2);
    cr_assert_str_eq(sow_names_get(s->features, 0), "g3", "the first source's order");
    cr_assert_str_eq(sow_names_get(s->features, 1), "g1");
    sow_index row = sow_screen_find(s, 0, 1);
    cr_assert_eq(s->values[row * 2], sqrt(30));
    cr_assert_eq(s->values[row * 2 + 1], sqrt(10));
    cr_assert(dropped_has(&d, "features not in every source", "g2, g9", 2));
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

Test(source, refuses_profiles_that_share_nothing_or_name_a_gene_twice)
{
    char *genes[] = {"A", "B"}, *ids[] = {"ENSG1", "ENSG2"}, *twice[] = {"g1", "g1"};
    double x[] = {1, 2, 3, 4};
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE};
    sow_source src[2] = {{.file = strdup(write_profiles("a.h5ad", genes, ids, 2, x)), .context = "one", .perturbation_column = "gene"},
                         table_source("b.csv", "gene,g1\nA,10\n")};
    refuses(src, 2, &r, SOW_E_DATA, "no feature is in every source");
    src[0] = (sow_source){.file = strdup(write_profiles("a.h5ad", genes, twice, 2, x)), .context = "one", .perturbation_column = "gene"};
    refuses(src, 1, &r, SOW_E_DATA, "two columns of X are named 'g1'");
    src[0] = table_source("b.csv", "gene,note\nA,x\n");
    refuses(src, 1, &r, SOW_E_DATA, "no numeric column is left for a profile");
}

Test(source, reads_a_scalar_from_obs_by_column_or_row_name)
{
    char *rows[] = {"A", "B"}, *genes[] = {"X", NULL}, *vars[] = {"g"};
    double y[] = {3, 4}, x[] = {0, 0};
    sow_h5ad_column columns[] = {{"gene", SOW_COLUMN_STRING, genes, NULL}, {"y", SOW_COLUMN_NUMBER, NULL, y}};
    sow_h5ad a = {.n_obs = 2, .n_vars = 1, .obs_names = rows, .var_names = vars, .n_obs_columns = 2, .obs = columns, .x = x};
    const char *path = scratch_path("a.h5ad");
    cr_assert_eq(sow_h5ad_write(path, &a, 0, &err), SOW_OK);
    sow_readout_spec r = scalar("y");
    sow_dropped d = {0};
    sow_source src = {.file = strdup(path), .context = "c", .perturbation_column = "gene"};
    sow_screen *s = read_ok(&d, &src, 1, &r);
    cr_assert_eq(value_of(s, "X", "c"), 3);
    cr_assert_eq(d.item[0].count, 1);
    cr_assert(strstr(d.item[0].names, "row 'B'"), "%s", d.item[0].names);
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
    src.file = strdup(path);
    src.perturbation_column = NULL;
    s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(value_of(s, "B", "c"), 4);
    sow_screen_destroy(s);
}

/* ---- candidates of which only the names are known ---- */

Test(source, takes_bare_names_and_lets_measurements_go_before_them)
{
    sow_source src[2] = {table_source("names.csv", "gene\nA\nB\nB\nNT\n"), table_source("m.csv", "gene,y,n\nA,2,50\n")};
    src[0].names_only = 1;
    src[0].duplicates_allowed = 0;
    src[0].cells_column = src[1].cells_column = "n";
    sow_readout_spec r = scalar("y");
    r.n_adjust = 1;
    r.adjust_for = (const char *[]){"log(cells)"};
    sow_screen *s = read_ok(NULL, src, 2, &r);
    cr_assert_eq(s->n_rows, 2);
    cr_assert_eq(value_of(s, "A", "K562"), 2);
    cr_assert_eq(s->cells[0], 50);
    cr_assert_eq(s->replicates[1], 1);
    cr_assert(isnan(value_of(s, "B", "K562")) && isnan(s->cells[1]) && isnan(s->covariate[1]));
    sow_screen_destroy(s);
}

Test(source, takes_the_features_of_bare_names_from_empty_columns)
{
    sow_source src = table_source("names.csv", "gene,g1,g2\nA,,\nB,,\n");
    src.names_only = 1;
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE};
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(sow_screen_n_features(s), 2);
    cr_assert(s->n_rows == 2 && isnan(s->values[3]));
    sow_screen_destroy(s);
    src = table_source("names.csv", "gene\nA\n");
    src.names_only = 1;
    refuses(&src, 1, &r, SOW_E_DATA, "needs to know its features");
}

/* ---- what is refused ---- */

Test(source, names_the_nearest_column_of_a_misnamed_one)
{
    sow_readout_spec r = scalar("score");
    sow_source src = table_source("s.csv", "gene,scores\nA,1\n");
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:1: no column 'score' (readout); did you mean 'scores'? The columns are 'gene', 'scores'");
    src = table_source("s.csv", "genes,score\nA,1\n");
    refuses(&src, 1, &r, SOW_E_DATA, "no column 'gene' (perturbation); did you mean 'genes'?");
    src = table_source("s.csv", "gene,score\nA,1\n");
    src.cells_column = "n";
    refuses(&src, 1, &r, SOW_E_DATA, "no column 'n' (number of cells)");
}

Test(source, names_the_line_of_text_where_a_number_is_needed)
{
    sow_readout_spec r = scalar("y");
    sow_source src = table_source("s.csv", "gene,y\nA,1\nB,high\n");
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:3: column 'y' has 'high' where a number is needed");
}

Test(source, refuses_repeated_rows_when_they_are_no_replicates)
{
    sow_readout_spec r = scalar("y");
    sow_source src = table_source("s.csv", "gene,y\nA,1\nB,1\nA,2\n");
    src.duplicates_allowed = 0;
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:4: 'A' in context 'K562' a second time (first: ");
    cr_assert(strstr(err.message, "s.csv:2)"), "%s", err.message);
    src = table_source("s.csv", "gene,y\nA,1\nA,\n");
    src.duplicates_allowed = 0;
    sow_screen *s = read_ok(NULL, &src, 1, &r);
    cr_assert_eq(s->n_rows, 1, "a dropped row is no duplicate");
    sow_screen_destroy(s);
}

Test(source, says_which_rule_left_nothing)
{
    sow_readout_spec r = scalar("y");
    sow_source src = table_source("s.csv", "gene,y\nNT,1\nNT,2\nA,\n");
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv: nothing is left of its 3 rows: 2 control rows, 1 NaN readout");
    src = table_source("s.csv", "gene,y\n");
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv: it has no rows");
    src = table_source("s.csv", "");
    refuses(&src, 1, &r, SOW_E_DATA, "s.csv:1: the file is empty");
}

Test(source, refuses_contexts_that_are_not_there_or_play_two_roles)
{
    sow_readout_spec r = scalar("y");
    sow_source src[2] = {table_source("s.csv", "gene,line,y\nA,K562,1\n")};
    src[0].context_column = "line";
    src[0].n_keep_contexts = 1;
    src[0].keep_contexts = (const char *[]){"K526"};
    refuses(src, 1, &r, SOW_E_DATA, "no row has the context 'K526' in column 'line'; did you mean 'K562'?");
    src[0] = table_source("s.csv", "gene,y\nA,1\n");
    src[0].n_keep_contexts = 1;
    src[0].keep_contexts = (const char *[]){"K562"};
    refuses(src, 1, &r, SOW_E_CONFIG, "need a context column");
    src[0] = table_source("a.csv", "gene,y\nA,1\n");
    src[1] = table_source("b.csv", "gene,y\nA,1\n");
    src[1].role = SOW_ROLE_REFERENCE;
    refuses(src, 2, &r, SOW_E_DATA, "context 'K562' is a target in one source and a reference in another");
    src[0] = table_source("s.csv", "gene,line,y\nA,,1\n");
    src[0].context_column = "line";
    refuses(src, 1, &r, SOW_E_DATA, "s.csv:2: 'A' has no context (column 'line')");
}

Test(source, refuses_what_the_readout_cannot_have)
{
    sow_readout_spec r = scalar("y"), cells = {.kind = SOW_READOUT_CELLS}, none = {.kind = SOW_READOUT_SCALAR};
    sow_source src = table_source("s.csv", "gene,y\nA,1\n");
    r.n_adjust = 1;
    r.adjust_for = (const char *[]){"log(cells)"};
    refuses(&src, 1, &r, SOW_E_CONFIG, "needs the number of cells, but this source names no cells column");
    src = table_source("s.csv", "gene,y\nA,1\n");
    refuses(&src, 1, &cells, SOW_E_UNSUPPORTED, "not supported by this version");
    src = table_source("s.csv", "gene,y\nA,1\n");
    refuses(&src, 1, &none, SOW_E_CONFIG, "readout.column");
    refuses(NULL, 0, &r, SOW_E_CONFIG, "at least one source");
}

static void note_warning(void *user, sow_log_level level, const char *message)
{
    if (level == SOW_LOG_WARN) snprintf(user, 400, "%s", message);
}

Test(source, warns_of_a_control_that_no_row_has)
{
    char warning[400] = "";
    sow_env env = {.log = note_warning, .log_user = warning};
    sow_source src = table_source("s.csv", "gene,y\nnon-targeting,1\nA,2\n");
    sow_readout_spec r = scalar("y");
    sow_screen *s = NULL;
    src.control = "non_targeting";
    cr_assert_eq(sow_sources_read(&s, NULL, &src, 1, &r, &env, &err), SOW_OK);
    cr_assert(strstr(warning, "no row is a control 'non_targeting'; did you mean 'non-targeting'?"), "%s", warning);
    sow_screen_destroy(s);
    free((char *)src.file);
}

static sow_status read_once(sow_error *e)
{
    sow_screen *s = NULL;
    sow_dropped d = {0};
    sow_source src = {.file = scratch_path("s.csv"), .context = "c", .perturbation_column = "gene", .separator = "+", .control = "NT",
                      .cells_column = "n", .duplicates_allowed = 1};
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE, .n_adjust = 1, .adjust_for = (const char *[]){"log(cells)"}};
    sow_status st = sow_sources_read(&s, &d, &src, 1, &r, NULL, e);
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
    return st;
}

Test(source, survives_every_failing_allocation)
{
    scratch_write("s.csv", "gene,n,g1,g2\nA,10,1,2\nB+A,10,3,4\nNT,10,0,0\nC,,5,6\nD,10,,6\n");
    every_allocation_may_fail(read_once, 1);
}

/* ---- real data ---- */

static int have_data(void)
{
    if (access(SOWER_SHARED_DIR "/data/README.md", R_OK) == 0) return 1;
    fprintf(stderr, "SKIPPED: needs ../shared/data\n");
    return 0;
}

Test(source, reads_the_k562_and_rpe1_summaries)
{
    if (!have_data()) cr_skip_test("needs ../shared/data");
    sow_source src[2] = {{.file = strdup(SOWER_SHARED_DIR "/data/replogle2022_k562_essential_summary.csv.gz"), .context = "K562",
                          .role = SOW_ROLE_REFERENCE, .perturbation_column = "gene", .control = "non-targeting",
                          .cells_column = "number of cells (filtered)", .duplicates_allowed = 1},
                         {.file = strdup(SOWER_SHARED_DIR "/data/replogle2022_rpe1_summary.csv.gz"), .context = "RPE1",
                          .perturbation_column = "gene", .control = "non-targeting", .cells_column = "number of cells (filtered)",
                          .duplicates_allowed = 1}};
    sow_readout_spec r = scalar("Number of DEGs (anderson-darling)");
    r.transform = "log1p";
    r.n_adjust = 1;
    r.adjust_for = (const char *[]){"log(cells)"};
    sow_dropped d = {0};
    sow_screen *s = read_ok(&d, src, 2, &r);
    sow_index both = 0, k562 = 0;
    for (sow_index i = 0; i < sow_screen_n_perturbations(s); i++) {
        int a = sow_screen_find(s, i, 0) >= 0, b = sow_screen_find(s, i, 1) >= 0;
        k562 += a;
        both += a && b;
    }
    cr_assert_eq(sow_names_find(s->perturbations, "non-targeting"), -1);
    cr_assert(dropped_has(&d, "k562_essential_summary.csv.gz: control rows", "non-targeting", 109));
    cr_assert(k562 > 2000 && k562 <= 2057, "%lld", (long long)k562);
    cr_assert(both > 1900, "%lld", (long long)both);
    cr_assert_eq(s->values[sow_screen_find(s, sow_names_find(s->perturbations, "ZC3H18"), 0)], log1p(99));
    sow_screen_destroy(s);
    sow_dropped_clear(&d);
}

Test(source, reads_real_drug_profiles_with_one_cell_type_as_target)
{
    if (!have_data()) cr_skip_test("needs ../shared/data");
    const char *path = SOWER_SHARED_DIR "/data/neurips2023_pbmc_signed_ranks.h5ad";
    sow_source src[2] = {{.file = strdup(path), .context_column = "context", .perturbation_column = "perturbation", .n_keep_contexts = 1,
                          .keep_contexts = (const char *[]){"b"}},
                         {.file = strdup(path), .context_column = "context", .perturbation_column = "perturbation", .n_keep_contexts = 3,
                          .keep_contexts = (const char *[]){"myeloid", "nk", "t"}, .role = SOW_ROLE_REFERENCE}};
    sow_h5ad *a = NULL;
    cr_assert_eq(sow_h5ad_read(&a, path, 0, &err), SOW_OK);
    const char *others[3];
    int n = 0;
    for (sow_index i = 0; i < a->n_obs && n < 3; i++) { /* the other cell types, by their names in the file */
        const char *c = sow_h5ad_obs(a, "context")->text[i];
        int known = strcmp(c, "b") == 0;
        for (int k = 0; k < n; k++) known |= strcmp(others[k], c) == 0;
        if (!known) others[n++] = c;
    }
    src[1].keep_contexts = others;
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE};
    sow_screen *s = read_ok(NULL, src, 2, &r);
    cr_assert_eq(sow_screen_n_perturbations(s), 135);
    cr_assert_eq(sow_screen_n_features(s), 6349);
    cr_assert_eq(s->n_rows, 540);
    cr_assert_eq(sow_names_count(s->contexts), 4);
    sow_screen_destroy(s);
    sow_h5ad_destroy(a);
}

Test(source, refuses_real_single_cells_as_profiles)
{
    if (!have_data()) cr_skip_test("needs ../shared/data");
    sow_source src = {.file = strdup(SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad"), .context = "THP-1", .perturbation_column = "gene"};
    sow_readout_spec r = {.kind = SOW_READOUT_PROFILE};
    refuses(&src, 1, &r, SOW_E_UNSUPPORTED, "single-cell matrices (readout cells) are not supported by this version; ");
}
