/* Writes and reads AnnData files for anndata_roundtrip.py. */
#include "io/h5ad.h"

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

int main(int argc, char **argv)
{
    sow_error err = {0};
    if (argc != 3) return 2;
    int st = strcmp(argv[1], "write") == 0 ? write_file(argv[2], &err) : read_file(argv[2], &err);
    if (st != SOW_OK) fprintf(stderr, "%s\n", err.message);
    return st != SOW_OK;
}
