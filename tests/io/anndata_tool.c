/* Writes and reads AnnData files for anndata_roundtrip.py. */
#include "io/cell_file.h"
#include "io/h5ad.h"
#include "io/h5ad_cells.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int write_file(const char *path, sow_error *err)
{
    char *obs_names[] = {"r0", "r1", "r2", "r3"}, *var_names[] = {"g\xc3\xa9ne", "b", "c"};
    char *perturbation[] = {"STAT1", "JAK2", "STAT1", NULL};
    double cells[] = {12.5, NAN, 3, 4}, good[] = {1, 0, 1, 1}, x[12];
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, perturbation, NULL},
                                 {"cells", SOW_COLUMN_NUMBER, NULL, cells},
                                 {"good", SOW_COLUMN_BOOL, NULL, good}};
    for (int i = 0; i < 12; i++) x[i] = i / 4.0;
    sow_h5ad a = {.n_obs = 4, .n_vars = 3, .obs_names = obs_names, .var_names = var_names, .n_obs_columns = 3, .obs = columns, .x = x};
    return sow_h5ad_write(path, &a, 1, err);
}

static void print_column(const sow_h5ad_column *c, sow_index n)
{
    printf("%s:", c->name);
    for (sow_index i = 0; i < n; i++) {
        if (c->kind == SOW_COLUMN_STRING)
            printf(" %s", c->text[i] ? c->text[i] : "-");
        else
            printf(" %g", c->number[i]);
    }
    printf("\n");
}

static int read_file(const char *path, sow_error *err)
{
    sow_h5ad *a = NULL;
    sow_status st = sow_h5ad_read(&a, path, 1, err);
    if (st != SOW_OK) return st;
    printf("shape %lld %lld\nX", (long long)a->n_obs, (long long)a->n_vars);
    for (sow_index i = 0; i < a->n_obs * a->n_vars; i++) printf(" %g", a->x[i]);
    printf("\nobs");
    for (sow_index i = 0; i < a->n_obs; i++) printf(" %s", a->obs_names[i]);
    printf("\nvar");
    for (sow_index i = 0; i < a->n_vars; i++) printf(" %s", a->var_names[i]);
    printf("\n");
    for (sow_index i = 0; i < a->n_obs_columns; i++) print_column(&a->obs[i], a->n_obs);
    sow_h5ad_destroy(a);
    return SOW_OK;
}

/* 5 cells of 3 genes in two blocks, compressed when `gzip` is set. */
static int write_cells(const char *path, int gzip, sow_error *err)
{
    char *names[] = {"c0", "c1", "c2", "c3", "c4"}, *gene[] = {"STAT1", NULL, "ctrl", "ctrl", "JAK2"}, *symbol[] = {"x", NULL, "z"};
    double depth[] = {3, 0, 3.5, 3.5, NAN}, good[] = {1, 0, 1, 1, 0}, variable[] = {1, 0, 1};
    const int64_t start[] = {0, 2, 2, 3};
    const int32_t index[] = {0, 2, 1};
    const float value[] = {1, 2, 3.5f};
    const sow_h5ad_column var[] = {{"symbol", SOW_COLUMN_STRING, symbol, NULL}, {"variable", SOW_COLUMN_BOOL, NULL, variable}};
    const sow_h5ad_column obs[] = {
        {"gene", SOW_COLUMN_STRING, gene, NULL}, {"depth", SOW_COLUMN_NUMBER, NULL, depth}, {"good", SOW_COLUMN_BOOL, NULL, good}};
    sow_names *genes = NULL;
    sow_h5ad_writer *w = NULL;
    sow_status st = sow_names_create(&genes, err);
    for (int i = 0; i < 3 && st == SOW_OK; i++) st = sow_names_add(genes, (const char *[]){"A", "B", "C"}[i], NULL, err);
    if (st == SOW_OK) st = sow_h5ad_writer_create(&w, path, genes, var, 2, gzip, err);
    if (st == SOW_OK) st = sow_h5ad_writer_append(w, 3, start, index, value, err);
    if (st == SOW_OK) st = sow_h5ad_writer_append(w, 2, start + 1, index, value, err);
    if (st == SOW_OK)
        st = sow_h5ad_writer_finish(w, names, obs, 3, err);
    else
        sow_h5ad_writer_abandon(w);
    sow_names_destroy(genes);
    return st;
}

/* "cell gene value" a line. */
static int stream_cells(const char *path, const char *layer, sow_error *err)
{
    sow_cell_file *f = NULL;
    sow_cell_block b = {0};
    sow_cell_file_options o = {.path = path, .layer = layer};
    sow_status st = sow_cell_file_open(&f, &o, NULL, err);
    if (st != SOW_OK) return st;
    printf("%s %lld %lld\n", sow_cell_file_layout(f), (long long)sow_cell_file_n_cells(f), (long long)sow_cell_file_n_genes(f));
    while ((st = sow_cell_file_next(&b, f, NULL, err)) == SOW_OK && b.n > 0)
        for (sow_index i = 0; i < b.n; i++)
            for (int64_t k = b.start[i]; k < b.start[i + 1]; k++)
                printf("%lld %s %.9g\n", (long long)(b.first + i), sow_names_get(sow_cell_file_genes(f), b.gene[k]), (double)b.value[k]);
    sow_cell_file_close(f);
    return st;
}

int main(int argc, char **argv)
{
    sow_error err = {0};
    int st = 2;
    if (argc < 3) return 2;
    if (strcmp(argv[1], "write") == 0) st = write_file(argv[2], &err);
    if (strcmp(argv[1], "read") == 0) st = read_file(argv[2], &err);
    if (strcmp(argv[1], "write-cells") == 0) st = write_cells(argv[2], argc > 3, &err);
    if (strcmp(argv[1], "stream") == 0) st = stream_cells(argv[2], argc > 3 ? argv[3] : NULL, &err);
    if (st != SOW_OK) fprintf(stderr, "%s\n", err.message);
    return st != SOW_OK;
}
