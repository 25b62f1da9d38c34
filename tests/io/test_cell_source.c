#include "io/cell_source.h"

#include "cells_fixture.h"
#include "faults.h"
#include "io/file.h"

#include <math.h>

TestSuite(cell_source, .init = scratch_create, .fini = scratch_remove);

static sow_error err;
static char log_text[4096];

static void keep_log(void *user, sow_log_level level, const char *message)
{
    (void)user;
    if (level == SOW_LOG_WARN) strncat(log_text, message, sizeof log_text - strlen(log_text) - 1);
}

static const sow_env listening = {.log = keep_log};

static sow_source cells_of(const char *file)
{
    return (sow_source){.file = strdup(scratch_path(file)), .context = "K562", .perturbation_column = "gene", .control = "NT", .values = SOW_VALUES_COUNTS};
}

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_dropped dropped;
    char digest[4][65];
} result;

static void free_files(const sow_source *sources, sow_index n)
{
    for (sow_index i = 0; i < n; i++) free((char *)(uintptr_t)sources[i].file);
}

static result read_ok(const sow_source *sources, sow_index n)
{
    result r = {0};
    log_text[0] = '\0';
    cr_assert_eq(sow_cells_read(&r.cells, &r.screen, r.digest, &r.dropped, sources, n, scratch_path("cache"), 0, &listening, &err), SOW_OK, "%s",
                 err.message);
    free_files(sources, n);
    return r;
}

static void clear(result *r)
{
    sow_cells_clear(&r->cells);
    sow_screen_destroy(r->screen);
    sow_dropped_clear(&r->dropped);
}

/* Nothing is given out, and the message has all parts (NULL ends them early). */
static void refuses(const sow_source *sources, sow_index n, sow_status status, const char *one, const char *two, const char *three)
{
    result r = {0};
    sow_status st = sow_cells_read(&r.cells, &r.screen, NULL, &r.dropped, sources, n, scratch_path("cache"), 0, NULL, &err);
    cr_assert_eq(st, status, "%s: %s", sow_status_name(st), err.message);
    cr_assert_null(r.screen);
    cr_assert_null(r.cells.matrix);
    cr_assert_eq(r.cells.n, 0);
    cr_assert(strstr(err.message, one), "%s", err.message);
    if (two) cr_assert(strstr(err.message, two), "%s", err.message);
    if (three) cr_assert(strstr(err.message, three), "%s", err.message);
    clear(&r);
    free_files(sources, n);
}

static int dropped_has(const sow_dropped *d, const char *what, const char *names, sow_index count)
{
    for (sow_index i = 0; i < d->n; i++)
        if (strstr(d->item[i].what, what)) return strcmp(d->item[i].names, names) == 0 && d->item[i].count == count;
    return 0;
}

static sow_index row_of(const sow_screen *s, const char *perturbation, const char *context)
{
    sow_index p = sow_names_find(s->perturbations, perturbation), c = sow_names_find(s->contexts, context);
    return p < 0 || c < 0 ? -1 : sow_screen_find(s, p, c);
}

static sow_index count_of(const result *r, const char *perturbation, const char *context, const sow_index **list)
{
    const sow_index *unused;
    sow_index p = strcmp(perturbation, "NT") == 0 ? SOW_CONTROL : sow_names_find(r->screen->perturbations, perturbation);
    return sow_cells_of(list ? list : &unused, &r->cells, p, sow_names_find(r->screen->contexts, context));
}

/* ---- what is read ---- */

Test(cell_source, labels_cells_and_counts_them_by_perturbation_and_context)
{
    fixture_h5ad("a.h5ad", "gene,line,grna,rep,lane\nSTAT1,K562,s1,r1,1\nNT,K562,n1,r1,1\nJAK2,K562,j1,r2,2\nNT,RPE1,n1,r2,2\nSTAT1,RPE1,s2,r1,2\nSTAT1,K562,s2,,1\n"
                           "NT,K562,n2,r1,2\n", "G", 6, 0);
    sow_source s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    s.guide_column = "grna";
    s.replicate_column = "rep";
    s.batch_column = "lane";
    result r = read_ok(&s, 1);
    const sow_cells *c = &r.cells;
    const sow_index *list = NULL;
    cr_assert_eq(c->n, 7);
    cr_assert_eq(c->n_matrices, 1);
    cr_assert_eq(c->is_log[0], 0);
    cr_assert_eq(sow_screen_n_perturbations(r.screen), 2);
    cr_assert_str_eq(sow_names_get(r.screen->perturbations, 0), "JAK2", "in order of name");
    cr_assert_str_eq(r.screen->detail[1].agent[0], "STAT1");
    cr_assert_eq(count_of(&r, "STAT1", "K562", &list), 2);
    cr_assert_eq(list[0], 0);
    cr_assert_eq(list[1], 5);
    cr_assert_eq(count_of(&r, "NT", "K562", NULL), 2);
    cr_assert_eq(count_of(&r, "NT", "RPE1", NULL), 1);
    cr_assert_eq(c->perturbation[1], SOW_CONTROL);
    cr_assert_eq(c->perturbation[2], 0);
    cr_assert_eq(c->row[4], 4);
    cr_assert_str_eq(sow_names_get(c->guides, c->guide[5]), "s2");
    cr_assert_str_eq(sow_names_get(c->replicates, c->replicate[2]), "r2");
    cr_assert_eq(c->replicate[5], SOW_NO_LABEL);
    cr_assert_str_eq(sow_names_get(c->batches, c->batch[3]), "2");
    cr_assert_eq(sow_names_count(c->genes), 6);
    cr_assert_eq(c->matrix[0].value[c->matrix[0].start[4]], fixture_count(4, c->matrix[0].gene[c->matrix[0].start[4]]));
    cr_assert_str_eq(log_text, "");
    cr_assert_eq(r.dropped.n, 0);
    clear(&r);
}

Test(cell_source, gives_a_screen_with_a_row_for_each_perturbation_and_context)
{
    fixture_h5ad("a.h5ad", "gene,line\nB,K562\nNT,K562\nA,RPE1\nNT,RPE1\nB,RPE1\nB,K562\n", "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    result r = read_ok(&s, 1);
    const sow_screen *t = r.screen;
    cr_assert_eq(t->kind, SOW_READOUT_CELLS);
    cr_assert_eq(t->n_rows, 3);
    cr_assert_eq(t->cells[row_of(t, "B", "K562")], 2);
    cr_assert_eq(t->weight[row_of(t, "B", "K562")], 2);
    cr_assert_eq(t->cells[row_of(t, "A", "RPE1")], 1);
    cr_assert_eq(row_of(t, "A", "K562"), -1);
    cr_assert(isnan(t->values[0]));
    cr_assert_eq(t->context_role[0], SOW_ROLE_TARGET);
    char digest[65];
    cr_assert_eq(sow_file_sha256(digest, scratch_path("a.h5ad"), &err), SOW_OK);
    cr_assert_str_eq(r.digest[0], digest);
    clear(&r);
}

Test(cell_source, has_one_batch_and_no_labels_when_the_source_names_none)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    result r = read_ok(&s, 1);
    cr_assert_eq(sow_names_count(r.cells.batches), 1);
    cr_assert_eq(r.cells.batch[0], 0);
    cr_assert_eq(r.cells.batch[1], 0);
    cr_assert_eq(r.cells.guide[0], SOW_NO_LABEL);
    cr_assert_eq(r.cells.replicate[1], SOW_NO_LABEL);
    clear(&r);
}

Test(cell_source, names_combinations_and_doses_as_tables_do)
{
    fixture_h5ad("a.h5ad", "gene,uM\nB+A,\nA+B,\nA+NT,\nNT+NT,\nX,1\nX,10\nNT,\nX,1\n", "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    s.separator = "+";
    s.dose_column = "uM";
    result r = read_ok(&s, 1);
    cr_assert_eq(sow_screen_n_perturbations(r.screen), 4);
    cr_assert_eq(count_of(&r, "A+B", "K562", NULL), 2);
    cr_assert_eq(count_of(&r, "A", "K562", NULL), 1);
    cr_assert_eq(count_of(&r, "X@1", "K562", NULL), 2);
    cr_assert_eq(count_of(&r, "NT", "K562", NULL), 2);
    cr_assert_eq(r.screen->detail[sow_names_find(r.screen->perturbations, "A+B")].n_agents, 2);
    clear(&r);
}

Test(cell_source, drops_cells_without_a_perturbation_by_name)
{
    fixture_h5ad("a.h5ad", "gene\nA\nnan\nNT\n\nA\nNA\n", "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.n, 3);
    cr_assert_eq(r.cells.row[2], 3, "a blank line of the fixture is no cell");
    cr_assert(dropped_has(&r.dropped, "a.h5ad: cells without a perturbation name", "c1, c4", 2));
    clear(&r);
}

Test(cell_source, counts_the_dropped_beyond_the_first_twenty)
{
    char text[1000] = "gene\nA\nNT\n";
    for (int i = 0; i < 25; i++) strcat(text, "nan\n");
    fixture_h5ad("a.h5ad", text, "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    result r = read_ok(&s, 1);
    cr_assert_eq(r.dropped.n, 1);
    cr_assert_eq(r.dropped.item[0].count, 25);
    cr_assert(strstr(r.dropped.item[0].names, "c21, ... and 5 more"), "%s", r.dropped.item[0].names);
    clear(&r);
}

Test(cell_source, takes_a_control_that_is_spelt_like_a_missing_value)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNone\nNone\n", "G", 4, 0);
    sow_source s = cells_of("a.h5ad");
    s.control = "None";
    result r = read_ok(&s, 1);
    cr_assert_eq(count_of(&r, "A", "K562", NULL), 1);
    cr_assert_eq(sow_cells_of(&(const sow_index *){NULL}, &r.cells, SOW_CONTROL, 0), 2);
    clear(&r);
}

Test(cell_source, keeps_only_the_contexts_that_are_asked_for)
{
    fixture_h5ad("a.h5ad", "gene,line\nA,K562\nNT,K562\nC,RPE1\nNT,A549\nB,A549\n", "G", 4, 0);
    const char *keep[] = {"K562", "A549"};
    sow_source s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    s.n_keep_contexts = 2;
    s.keep_contexts = keep;
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.n, 4);
    cr_assert_eq(sow_names_count(r.screen->contexts), 2);
    cr_assert_eq(sow_names_find(r.screen->perturbations, "C"), -1);
    cr_assert_eq(r.cells.row[3], 4);
    clear(&r);
}

/* ---- several sources ---- */

Test(cell_source, puts_sources_behind_each_other_and_shares_their_genes)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nNT\nA\n", "G", 3, 100);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    s[1].context = "RPE1";
    s[1].role = SOW_ROLE_REFERENCE;
    s[1].batch_column = "gene";
    result r = read_ok(s, 2);
    const sow_cells *c = &r.cells;
    cr_assert_eq(c->n_matrices, 2);
    cr_assert_eq(c->n, 5);
    cr_assert_eq(c->in_matrix[1], 0);
    cr_assert_eq(c->in_matrix[2], 1);
    cr_assert_eq(c->row[2], 0);
    cr_assert_eq(sow_names_count(c->genes), 3);
    cr_assert_eq(c->gene_of[0][2], 2);
    cr_assert_eq(c->gene_of[0][3], -1);
    cr_assert_eq(c->gene_of[1][1], 1);
    cr_assert(dropped_has(&r.dropped, "data.sources: genes not in every source", "G3, G4", 2));
    cr_assert_eq(count_of(&r, "A", "RPE1", NULL), 1);
    cr_assert_eq(r.screen->context_role[1], SOW_ROLE_REFERENCE);
    cr_assert_str_eq(sow_names_get(c->batches, c->batch[0]), "(none)");
    cr_assert(strstr(log_text, "context 'RPE1': no control cells in the technical batches 'B', 'A'"), "%s", log_text);
    cr_assert_str_neq(r.digest[0], r.digest[1]);
    clear(&r);
}

Test(cell_source, pools_the_controls_of_sources_of_one_context)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nA\n", "G", 5, 100);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    result r = read_ok(s, 2);
    const sow_index *list = NULL;
    cr_assert_eq(count_of(&r, "A", "K562", &list), 2);
    cr_assert_eq(list[1], 3);
    clear(&r);
}

Test(cell_source, takes_candidates_from_a_list)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    scratch_write("list.csv", "name\nZ\nA\nNT\nNA\n");
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("list.csv")};
    s[1].names_only = 1;
    s[1].perturbation_column = "name";
    result r = read_ok(s, 2);
    cr_assert_eq(r.cells.n_matrices, 1);
    cr_assert_eq(sow_screen_n_perturbations(r.screen), 2);
    cr_assert(isnan(r.screen->cells[row_of(r.screen, "Z", "K562")]));
    cr_assert_eq(r.screen->weight[row_of(r.screen, "Z", "K562")], 1);
    cr_assert_eq(r.screen->cells[row_of(r.screen, "A", "K562")], 1, "it is measured");
    cr_assert_eq(r.screen->n_rows, 2);
    cr_assert(dropped_has(&r.dropped, "list.csv: rows without a perturbation name", "line 5", 1));
    cr_assert_eq(strlen(r.digest[1]), 64);
    clear(&r);
}

Test(cell_source, may_be_only_a_list_of_candidates)
{
    scratch_write("list.csv", "gene\nZ\nA\n");
    sow_source s = cells_of("list.csv");
    s.names_only = 1;
    s.control = NULL;
    s.values = SOW_VALUES_RESPONSE;
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.n, 0);
    cr_assert_eq(r.screen->n_rows, 2);
    cr_assert_eq(count_of(&r, "A", "K562", NULL), 0);
    clear(&r);
}

Test(cell_source, takes_log1p_values_for_what_they_are)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    s.values = SOW_VALUES_LOG1P;
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.is_log[0], 1);
    clear(&r);
}

Test(cell_source, may_be_results_in_which_every_cell_is_unassigned)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nnan\nNA\n", "G", 5, 0);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    s[1].may_be_empty = 1;
    result r = read_ok(s, 2);
    cr_assert_eq(r.cells.n, 2);
    clear(&r);
}

/* ---- MatrixMarket ---- */

static sow_source make_folder(const char *labels)
{
    mkdir(scratch_path("tenx"), 0777);
    scratch_write("tenx/matrix.mtx", "%%MatrixMarket matrix coordinate integer general\n2 3 3\n1 1 4\n2 1 5\n1 3 6\n");
    scratch_write("tenx/barcodes.tsv", "AA-1\nBB-1\nCC-1\n");
    scratch_write("tenx/features.tsv", "E1\tTP53\tGene Expression\nE2\tMYC\tGene Expression\n");
    sow_source s = cells_of("tenx");
    if (labels) s.labels = scratch_write("labels.csv", labels);
    return s;
}

Test(cell_source, joins_a_folder_with_its_labels_by_barcode)
{
    sow_source s = make_folder("barcode,gene\nCC-1,A\nXX-1,B\nAA-1,NT\n");
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.n, 2);
    cr_assert_eq(r.cells.row[0], 0);
    cr_assert_eq(r.cells.perturbation[0], SOW_CONTROL);
    cr_assert_eq(r.cells.row[1], 2);
    cr_assert(dropped_has(&r.dropped, "tenx: cells that the table of labels lacks", "BB-1", 1));
    cr_assert_eq(sow_names_find(r.screen->perturbations, "B"), -1, "a label without a cell");
    char first[65];
    memcpy(first, r.digest[0], sizeof first);
    clear(&r);
    s = make_folder("barcode,gene\nCC-1,A\nXX-1,B\nAA-1,NT\nBB-1,A\n");
    r = read_ok(&s, 1);
    cr_assert_str_neq(r.digest[0], first, "labels are a part of the source");
    clear(&r);
}

Test(cell_source, refuses_a_folder_whose_labels_are_absent_doubled_or_of_other_cells)
{
    sow_source s = make_folder(NULL);
    refuses(&s, 1, SOW_E_DATA, "tenx", "give `labels`", "barcode");
    s = make_folder("barcode,gene\nAA-1,A\nAA-1,NT\n");
    refuses(&s, 1, SOW_E_DATA, "labels.csv:3: the barcode 'AA-1' a second time", "labels.csv:2", NULL);
    s = make_folder("barcode,gene\nAA,A\nBB,NT\n");
    refuses(&s, 1, SOW_E_DATA, "none of the 3 barcodes", "'AA' there, 'AA-1' in the matrix", "labels.csv");
    s = make_folder("barcode,gene\nAA-1,A\nBB-1,NT\n");
    scratch_write("tenx/barcodes.tsv", "AA-1\nBB-1\nAA-1\n");
    refuses(&s, 1, SOW_E_DATA, "barcodes.tsv:3: the barcode 'AA-1' a second time (first: line 1)", NULL, NULL);
    s = make_folder("barcode,gene\nAA-1,A\nBB-1,NT\n");
    scratch_write("tenx/barcodes.tsv", "AA-1\n\nBB-1\n");
    refuses(&s, 1, SOW_E_DATA, "barcodes.tsv:2: no barcode", NULL, NULL);
    s = make_folder("barcode,gene\nAA-1,A\nBB-1,NT\n");
    unlink(scratch_path("tenx/barcodes.tsv"));
    refuses(&s, 1, SOW_E_DATA, "tenx: it has no barcodes.tsv", NULL, NULL);
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    s = cells_of("a.h5ad");
    s.labels = scratch_path("labels.csv");
    refuses(&s, 1, SOW_E_DATA, "`labels` is for MatrixMarket folders", NULL, NULL);
}

/* ---- bad input ---- */

Test(cell_source, refuses_a_source_that_does_not_say_what_cells_need)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    s.values = SOW_VALUES_RESPONSE;
    refuses(&s, 1, SOW_E_CONFIG, "a.h5ad", "values: counts or log1p", NULL);
    s = cells_of("a.h5ad");
    s.control = NULL;
    refuses(&s, 1, SOW_E_CONFIG, "a.h5ad", "perturbation.control", NULL);
    s = cells_of("a.h5ad");
    s.perturbation_column = NULL;
    refuses(&s, 1, SOW_E_CONFIG, "a.h5ad", "perturbation.column", NULL);
    refuses(NULL, 0, SOW_E_CONFIG, "at least one source", NULL, NULL);
}

Test(cell_source, refuses_columns_that_are_not_there)
{
    fixture_h5ad("a.h5ad", "gene,lane\nA,1\nNT,1\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    s.perturbation_column = "Gene";
    refuses(&s, 1, SOW_E_DATA, "a.h5ad: obs: no column 'Gene' (perturbation); did you mean 'gene'?", "'lane'", NULL);
    s = cells_of("a.h5ad");
    s.guide_column = "grna";
    refuses(&s, 1, SOW_E_DATA, "no column 'grna' (guide)", "a.h5ad", NULL);
    s = cells_of("a.h5ad");
    s.batch_column = "lanes";
    refuses(&s, 1, SOW_E_DATA, "no column 'lanes' (technical batch); did you mean 'lane'?", "a.h5ad", NULL);
    s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    refuses(&s, 1, SOW_E_DATA, "no column 'line' (context)", "a.h5ad", NULL);
    s = cells_of("a.h5ad");
    s.replicate_column = "rep";
    refuses(&s, 1, SOW_E_DATA, "no column 'rep' (replicate)", "a.h5ad", NULL);
}

Test(cell_source, refuses_a_context_without_controls)
{
    fixture_h5ad("a.h5ad", "gene,line\nA,K562\nNT,K562\nA,RPE1\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    refuses(&s, 1, SOW_E_DATA, "a.h5ad: no cell of the context 'RPE1' is a control 'NT'", NULL, NULL);
    fixture_h5ad("b.h5ad", "gene\nA\nnon-targetin\n", "G", 5, 0);
    s = cells_of("b.h5ad");
    s.control = "non-targeting";
    refuses(&s, 1, SOW_E_DATA, "b.h5ad: no cell of the context 'K562' is a control 'non-targeting'; did you mean 'non-targetin'?", NULL, NULL);
    cr_assert_eq(scratch_count_entries(scratch_path("cache")) > 0, 0, "labels are checked before matrices are read");
}

Test(cell_source, refuses_contexts_to_keep_that_are_not_there_and_cells_without_one)
{
    fixture_h5ad("a.h5ad", "gene,line\nA,K562\nNT,K562\nB,\n", "G", 5, 0);
    const char *keep[] = {"K56"};
    sow_source s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    refuses(&s, 1, SOW_E_DATA, "a.h5ad: row 'c2': 'B' has no context (column 'line')", NULL, NULL);
    s = cells_of("a.h5ad");
    s.context = NULL;
    s.context_column = "line";
    s.n_keep_contexts = 1;
    s.keep_contexts = keep;
    refuses(&s, 1, SOW_E_DATA, "no row has the context 'K56'", "did you mean 'K562'?", "a.h5ad");
}

Test(cell_source, refuses_sources_that_share_no_gene)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nNT\n", "ENSG", 5, 0);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    refuses(s, 2, SOW_E_DATA, "a.h5ad and ", "the first has 'G0', 'G1', 'G2', ... and 2 more, the second 'ENSG0'", "b.h5ad");
}

Test(cell_source, refuses_counts_beside_log1p_values)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nNT\n", "G", 5, 0);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    s[1].values = SOW_VALUES_LOG1P;
    refuses(s, 2, SOW_E_DATA, "a.h5ad is declared counts but ", "b.h5ad is declared log1p values", NULL);
}

Test(cell_source, refuses_a_context_that_is_target_and_reference)
{
    fixture_h5ad("a.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nNT\n", "G", 5, 0);
    sow_source s[2] = {cells_of("a.h5ad"), cells_of("b.h5ad")};
    s[1].role = SOW_ROLE_REFERENCE;
    refuses(s, 2, SOW_E_DATA, "b.h5ad: context 'K562' is a target in one source and a reference in another", NULL, NULL);
}

Test(cell_source, refuses_a_source_of_which_nothing_is_left_and_files_that_hold_no_cells)
{
    fixture_h5ad("a.h5ad", "gene\nnan\nNA\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    refuses(&s, 1, SOW_E_DATA, "a.h5ad: nothing is left of its 2 cells: 2 have no perturbation name", NULL, NULL);
    scratch_write("t.csv", "gene,y\nA,1\nNT,2\n");
    s = cells_of("t.csv");
    refuses(&s, 1, SOW_E_DATA, "t.csv: a table cannot hold the readout cells", NULL, NULL);
    scratch_write("b.h5ad", "no HDF5");
    s = cells_of("b.h5ad");
    refuses(&s, 1, SOW_E_DATA, "b.h5ad", NULL, NULL);
    s = cells_of("absent.h5ad");
    refuses(&s, 1, SOW_E_IO, "absent.h5ad", NULL, NULL);
    fixture_h5ad("c.h5ad", "gene\nA\nNT\n", "G", 5, 0);
    s = cells_of("c.h5ad");
    s.layer = "counts";
    refuses(&s, 1, SOW_E_DATA, "c.h5ad", "counts", NULL);
}

Test(cell_source, refuses_doses_that_are_no_numbers)
{
    fixture_h5ad("a.h5ad", "gene,uM\nX,10uM\nNT,0\n", "G", 5, 0);
    sow_source s = cells_of("a.h5ad");
    s.dose_column = "uM";
    refuses(&s, 1, SOW_E_DATA, "a.h5ad: row 'c0': the dose '10uM' is no number", NULL, NULL);
}

/* ---- real files ---- */

static int have_data(void)
{
    if (sow_file_exists(SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad")) return 1;
    fprintf(stderr, "SKIPPED: needs ../shared/data\n");
    return 0;
}

/* Numbers by anndata 0.10: counts of obs columns, X.nnz, X.sum(). */
Test(cell_source, reads_the_thp1_screen)
{
    if (!have_data()) cr_skip_test("needs ../shared/data");
    sow_source s = {.file = strdup(SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad"), .context = "THP-1", .perturbation_column = "gene",
                    .control = "non-targeting", .guide_column = "grna", .replicate_column = "replicate", .values = SOW_VALUES_COUNTS};
    result r = read_ok(&s, 1);
    const sow_index *list;
    const sow_cell_matrix *m = &r.cells.matrix[0];
    double sum = 0;
    for (int64_t i = 0; i < m->start[m->n_cells]; i++) sum += (double)m->value[i];
    cr_assert_eq(r.cells.n, 20729);
    cr_assert_eq(sow_names_count(r.cells.genes), 299);
    cr_assert_eq(sow_screen_n_perturbations(r.screen), 25);
    cr_assert_eq(sow_cells_of(&list, &r.cells, SOW_CONTROL, 0), 2386);
    cr_assert_eq(count_of(&r, "IFNGR1", "THP-1", NULL), 1341);
    cr_assert_eq(sow_names_count(r.cells.replicates), 3);
    cr_assert_eq(m->start[m->n_cells], 1390126);
    cr_assert_eq(sum, 4299765);
    clear(&r);
}

Test(cell_source, reads_the_four_lines)
{
    if (!have_data()) cr_skip_test("needs ../shared/data");
    sow_source s = {.file = strdup(SOWER_SHARED_DIR "/data/mcfaline2024_norman2019_4lines.h5ad"), .context_column = "cell_type",
                    .perturbation_column = "condition", .separator = "+", .control = "control", .values = SOW_VALUES_LOG1P};
    result r = read_ok(&s, 1);
    cr_assert_eq(r.cells.n, 5961);
    cr_assert_eq(sow_names_count(r.screen->contexts), 4);
    cr_assert_eq(r.cells.matrix[0].start[5961], 211790);
    cr_assert_eq(count_of(&r, "BPGM+SAMD1", "k562", NULL), 100);
    sow_index context = sow_names_find(r.screen->contexts, "T98G"), cells = 0;
    for (sow_index i = 0; i < r.cells.n; i++) cells += r.cells.context[i] == context;
    cr_assert_eq(cells, 871);
    clear(&r);
}

/* ---- faults ---- */

static sow_status read_once(sow_error *e)
{
    result r = {0};
    sow_source s[3] = {cells_of("a.h5ad"), cells_of("b.h5ad"), cells_of("list.csv")};
    s[0].guide_column = "grna";
    s[1].context = "RPE1";
    s[2].names_only = 1;
    sow_status st = sow_cells_read(&r.cells, &r.screen, r.digest, &r.dropped, s, 3, scratch_path("cache"), 0, NULL, e);
    if (st != SOW_OK) cr_assert(!r.screen && !r.cells.matrix && !r.cells.row);
    clear(&r);
    free_files(s, 3);
    return st;
}

Test(cell_source, survives_a_failure_at_every_allocation)
{
    fixture_h5ad("a.h5ad", "gene,grna\nA,g1\nNT,g2\nnan,\nA+B,g1\n", "G", 5, 0);
    fixture_h5ad("b.h5ad", "gene\nB\nNT\n", "G", 4, 0);
    scratch_write("list.csv", "gene\nZ\nA\n");
    every_allocation_may_fail(read_once, 1);
}
