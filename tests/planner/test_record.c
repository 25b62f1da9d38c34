/* Results from people, scalars and profiles. */
#include "planner/campaign.h"

#include "campaign_fixture.h"

TestSuite(record, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

typedef struct {
    sow_config *config;
    sow_campaign *c;
    char name[32][16]; /* of the planned batch */
    int n;
} lab;

static void plan(lab *l)
{
    MUST(sow_campaign_plan(l->c, NULL, &err));
    json_t *j = status_of(l->c), *picks = json_object_get(json_object_get(j, "next"), "picks");
    l->n = (int)json_array_size(picks);
    for (int i = 0; i < l->n; i++)
        snprintf(l->name[i], sizeof l->name[i], "%s", json_string_value(json_object_get(json_array_get(picks, (size_t)i), "perturbation")));
    json_decref(j);
}

static lab open_lab(const char *yaml)
{
    lab l = {.config = read_config(at_lab(yaml))};
    l.c = open_campaign(l.config, SOW_CAMPAIGN_WRITE, NULL);
    cr_assert(sow_campaign_needs_people(l.c));
    plan(&l);
    return l;
}

static void close_lab(lab *l)
{
    close_campaign(l->c);
    sow_config_destroy(l->config);
}

/* ---- profiles as .h5ad: `gene_order` permutes the genes, `n_genes` may leave the last out */

static const char *profiles_of(const lab *l, int first, int n, const int *gene_order, int n_genes, double scale)
{
    char *names[16], *genes[N_GENES + 1], storage[N_GENES + 1][8];
    double cells[16], x[16 * (N_GENES + 1)];
    for (int g = 0; g < n_genes; g++) {
        int from = gene_order ? gene_order[g] : g;
        genes[g] = storage[g];
        sprintf(storage[g], from == 4 ? "P03" : from == N_GENES ? "extra" : "g%d", from);
    }
    for (int i = 0; i < n; i++) {
        names[i] = (char *)(uintptr_t)l->name[first + i];
        cells[i] = 50;
        for (int g = 0; g < n_genes; g++)
            x[i * n_genes + g] = scale * response_of(atoi(names[i] + 1), 0, gene_order ? gene_order[g] : g);
    }
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, names, NULL}, {"n_cells", SOW_COLUMN_NUMBER, NULL, cells}};
    sow_h5ad a = {.n_obs = n, .n_vars = n_genes, .obs_names = names, .var_names = genes, .n_obs_columns = 2, .obs = columns, .x = x};
    const char *path = scratch_path("results.h5ad");
    MUST(sow_h5ad_write(path, &a, 0, &err));
    return path;
}

Test(record, takes_profiles_from_h5ad_in_parts_and_in_any_order_of_genes)
{
    static const int shuffled[] = {3, 10, 0, 9, 4, 1, 8, 2, 7, 5, 6};
    lab l = open_lab(profile_yaml);
    sow_record_summary s;
    MUST(sow_campaign_record(l.c, profiles_of(&l, 0, 3, NULL, N_GENES, 1), 0, &s, NULL, &err));
    cr_assert_eq(s.recorded, 3);
    cr_assert_eq(s.pending, 5);
    cr_assert_eq(sow_campaign_next_step(l.c), SOW_NEXT_MEASURE);
    MUST(sow_campaign_record(l.c, profiles_of(&l, 3, 5, shuffled, N_GENES + 1, 1), 0, &s, NULL, &err));
    cr_assert_eq(s.recorded, 5);
    cr_assert_eq(s.pending, 0);
    cr_assert_eq(sow_campaign_next_step(l.c), SOW_NEXT_PLAN);
    char *lab_first = results_of("c.sower");
    close_lab(&l);

    /* the same in one file */
    scratch_remove_tree(scratch_path("c.sower"));
    l = open_lab(profile_yaml);
    MUST(sow_campaign_record(l.c, profiles_of(&l, 0, 8, NULL, N_GENES, 1), 0, &s, NULL, &err));
    char *lab_second = results_of("c.sower");
    cr_assert_str_eq(lab_first, lab_second);
    free(lab_first);
    free(lab_second);
    plan(&l);
    cr_assert_eq(l.n, 5);
    close_lab(&l);
}

Test(record, refuses_profiles_without_a_gene_of_the_campaign)
{
    lab l = open_lab(profile_yaml);
    sow_record_summary s;
    cr_assert_eq(sow_campaign_record(l.c, profiles_of(&l, 0, 8, NULL, N_GENES - 1, 1), 0, &s, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "g9") && strstr(err.message, "nothing was recorded"), "%s", err.message);
    cr_assert_eq(count_of(l.c, "planned"), 8);
    close_lab(&l);
}

static double recorded_value(const lab *l, const char *name)
{
    char path[128], *text = NULL;
    double value = NAN;
    MUST(sow_campaign_report(l->c, NULL, &err));
    char wanted[32];
    snprintf(wanted, sizeof wanted, "\"%s\",", name);
    snprintf(path, sizeof path, "%s/report.html", sow_campaign_dir(l->c));
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f);
    size_t size = 4u << 20;
    text = calloc(1, size);
    cr_assert_gt(fread(text, 1, size - 1, f), 0);
    fclose(f);
    const char *map = strstr(text, "\"kind\":\"map\""), *at = map ? strstr(map, wanted) : NULL;
    cr_assert_not_null(at, "the report's map has no %s", name);
    cr_assert_eq(sscanf(at + strlen(wanted), "%*d,%*d,%*[^,],%lf", &value), 1);
    free(text);
    return value;
}

Test(record, averages_replicates_by_their_cells_within_a_file_and_between_files)
{
    lab l = open_lab(scalar_yaml);
    sow_record_summary s;
    char text[256];
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,1,100\n%s,4,50\n", l.name[0], l.name[0]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_eq(s.recorded, 1);
    cr_assert_float_eq(recorded_value(&l, l.name[0]), 2, 1e-9);
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,5,150\n", l.name[0]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_float_eq(recorded_value(&l, l.name[0]), 3.5, 1e-9);
    cr_assert_eq(s.pending, 7);
    close_lab(&l);
}

Test(record, takes_no_row_of_another_context_for_the_target)
{
    lab l = open_lab(scalar_yaml);
    sow_record_summary s;
    char text[256];
    snprintf(text, sizeof text, "gene,line,score,n_cells\n%s,here,1,100\n%s,other,101,100\n", l.name[0], l.name[0]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_float_eq(recorded_value(&l, l.name[0]), 1, 1e-9);
    snprintf(text, sizeof text, "gene,line,score,n_cells\n%s,other,101,100\n", l.name[1]);
    cr_assert_eq(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "no row has the context 'here' in column 'line'"), "%s", err.message);
    close_lab(&l);
}

/* All planned perturbations with two replicates each, in one file or in two. */
static char *with_replicates(int files)
{
    char text[2][2048] = {"", ""};
    sow_record_summary s;
    /* 24 in the first batch: with fewer than 20 no slope is fitted and the covariate would not matter */
    char *larger = replaced(scalar_yaml, "size: 8", "size: 24"), *yaml = replaced(larger, "column: score}", "column: score, adjust_for: [log(cells)]}");
    lab l = open_lab(yaml);
    free(larger);
    free(yaml);
    for (int i = 0; i < l.n; i++) {
        int n = atoi(l.name[i] + 1);
        char *two = text[files - 1], *one = i + 1 < l.n ? text[0] : two; /* the first file must leave the round open */
        snprintf(one + strlen(one), sizeof text[0] - strlen(one), "%s,%g,%d\n", l.name[i], scalar_of(n, 0), 60 + 7 * i);
        snprintf(two + strlen(two), sizeof text[0] - strlen(two), "%s,%g,%d\n", l.name[i], scalar_of(n, 0) + 0.5, 30 + 11 * i);
    }
    for (int f = 0; f < files; f++) {
        char whole[4200];
        snprintf(whole, sizeof whole, "gene,score,n_cells\n%s", text[f]);
        MUST(sow_campaign_record(l.c, scratch_write("r.csv", whole), 0, &s, NULL, &err));
    }
    plan(&l);
    char *results = results_of("c.sower");
    close_lab(&l);
    scratch_remove_tree(scratch_path("c.sower"));
    return results;
}

Test(record, makes_the_same_of_replicates_that_come_together_and_apart)
{
    char *together = with_replicates(1), *apart = with_replicates(2);
    cr_assert_str_eq(together, apart);
    free(together);
    free(apart);
}

Test(record, calls_few_cells_partial_and_no_readout_failed)
{
    lab l = open_lab(profile_yaml);
    close_lab(&l);
    scratch_remove_tree(scratch_path("c.sower"));
    l = open_lab(scalar_yaml);
    sow_record_summary s;
    char text[512];
    /* design.cells_per_perturbation is 100 by default */
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,1,100\n%s,1,99\n%s,NaN,100\n%s,,\n%s,inf,3\n", l.name[0], l.name[1], l.name[2], l.name[3], l.name[4]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_eq(s.recorded, 2);
    cr_assert_eq(s.failed, 3);
    cr_assert_eq(s.pending, 3);
    cr_assert_eq(count_of(l.c, "measured"), 1);
    cr_assert_eq(count_of(l.c, "partial"), 1);
    cr_assert_eq(count_of(l.c, "failed"), 3);
    cr_assert_eq(count_of(l.c, "planned"), 3);
    /* a result that comes after all is taken */
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,2,100\n", l.name[2]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 1, &s, NULL, &err));
    cr_assert_eq(s.recorded, 1);
    cr_assert_eq(s.failed, 3);
    cr_assert_eq(count_of(l.c, "failed"), 5);
    cr_assert_eq(sow_campaign_next_step(l.c), SOW_NEXT_PLAN);
    close_lab(&l);
}

Test(record, ignores_the_values_of_a_candidate_list)
{
    /* screen.csv has a finished screen in it; with people at work it is a list of names */
    lab l = open_lab(scalar_yaml);
    cr_assert_eq(count_of(l.c, "measured"), 0);
    cr_assert_eq(count_of(l.c, "planned"), 8);
    cr_assert_eq(count_of(l.c, "free"), N_PERTURBATIONS - 8);
    close_lab(&l);
}

Test(record, leaves_everything_as_it_was_when_a_file_is_wrong)
{
    lab l = open_lab(scalar_yaml);
    sow_record_summary s;
    char text[512];
    json_t *before = status_of(l.c);
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,1,100\nP9,1,100\n", l.name[0]);
    cr_assert_eq(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "'P9'") && strstr(err.message, "did you mean"), "%s", err.message);
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,one,100\n", l.name[0]);
    cr_assert_eq(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "r.csv:2"), "%s", err.message);
    cr_assert_eq(sow_campaign_record(l.c, scratch_path("absent.csv"), 0, &s, NULL, &err), SOW_E_DATA);
    json_t *after = status_of(l.c);
    cr_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    close_lab(&l);
}

Test(record, calls_it_measured_once_parts_add_up_to_the_planned_cells)
{
    lab l = open_lab(scalar_yaml);
    sow_record_summary s;
    char text[256];
    const int cells[] = {60, 39, 1}; /* 100 are planned */
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(count_of(l.c, "measured"), 0);
        snprintf(text, sizeof text, "gene,score,n_cells\n%s,1.%d,%d\n", l.name[0], i, cells[i]);
        MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    }
    cr_assert_eq(count_of(l.c, "measured"), 1);
    cr_assert_eq(count_of(l.c, "partial"), 0);
    close_lab(&l);
}

/* ---- positive controls ---- */

/* Every order sheet has them, so results have them too, whether the campaign knows them or not. */
Test(record, passes_over_positive_controls_that_are_no_candidates)
{
    char *yaml = replaced(scalar_yaml, "readout: {kind: scalar, column: score}",
                          "readout: {kind: scalar, column: score}\nconstraints: {controls: [MYC, P07]}");
    lab l = open_lab(yaml);
    sow_record_summary s;
    char text[256];
    snprintf(text, sizeof text, "gene,score,n_cells\n%s,1,100\nMYC,50,100\nP07,40,100\n", l.name[0]);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_eq(s.recorded, 2);
    cr_assert_eq(s.unplanned, 1); /* P07 is known, and a model may learn from it */
    close_lab(&l);
    free(yaml);
}

/* The threshold is where the pool's hits begin; a strong positive control is none of them. */
static double threshold_with(const char *control)
{
    char *larger = replaced(scalar_yaml, "size: 8", "size: 20"), *yaml = replaced(larger, "readout: {kind: scalar, column: score}",
                          "readout: {kind: scalar, column: score}\nconstraints: {controls: [P04, P07, P13]}");
    char *poh = replaced(yaml, "greedy", "probability-of-hit"), text[1024] = "gene,score,n_cells\n";
    lab l = open_lab(poh);
    sow_record_summary s;
    double threshold = NAN;
    for (int i = 0; i < l.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s,%g,100\n", l.name[i], scalar_of(atoi(l.name[i] + 1), 0));
    strcat(text, control);
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    plan(&l);
    const char *batch = scratch_read(scratch_path("c.sower/rounds/01/batch.csv")), *at = strstr(batch, "hit threshold ");
    cr_assert_not_null(at, "%s", batch);
    cr_assert_eq(sscanf(at, "hit threshold %lf", &threshold), 1);
    close_lab(&l);
    scratch_remove_tree(scratch_path("c.sower"));
    free(larger);
    free(yaml);
    free(poh);
    return threshold;
}

Test(record, positive_controls_do_not_move_the_hit_threshold)
{
    /* 3 of the pool of 33 are wanted: below the 3rd and not, with the controls counted in, at its best */
    double with = threshold_with("P04,2.2,100\nP07,2.2,100\nP13,2.2,100\n");
    cr_assert_lt(with, 1.99, "%g", with);
    cr_assert_gt(with, 1.5, "%g", with);
}

/* ---- includes that failed ---- */

Test(record, plans_failed_includes_again_as_many_as_a_later_batch_holds)
{
    char *yaml = replaced(scalar_yaml, "readout: {kind: scalar, column: score}",
                          "readout: {kind: scalar, column: score}\nconstraints: {include: [P01, P02, P03, P04, P05, P06]}");
    lab l = open_lab(yaml);
    sow_record_summary s;
    char text[256] = "gene,score,n_cells\n";
    for (int i = 0, n = 0; i < l.n; i++) {
        int include = atoi(l.name[i] + 1) >= 1 && atoi(l.name[i] + 1) <= 6;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s,%s,100\n", l.name[i], include ? "NaN" : n++ ? "1.5" : "1");
    }
    MUST(sow_campaign_record(l.c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    cr_assert_eq(s.failed, 6);
    plan(&l);
    for (int i = 0; i < l.n; i++) cr_assert(atoi(l.name[i] + 1) >= 1 && atoi(l.name[i] + 1) <= 6, "%s", l.name[i]);
    cr_assert_eq(l.n, 5);
    close_lab(&l);
    free(yaml);
}
