#include "io/baseline.h"

#include <math.h>

#include "io/table.h"

typedef struct {
    sow_index gene, share, size;
} columns;

static sow_status find_columns(columns *c, const sow_table *t, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_table_column(&c->gene, t, "response_id", err));
    SOW_TRY(sow_table_column(&c->share, t, "relative_expression", err));
    SOW_TRY(sow_table_column(&c->size, t, "expression_size", err));
done:
    return st;
}

static sow_status read_row(sow_baseline *b, const sow_table *t, const columns *c, sow_index row, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index at = 0;
    const char *gene = sow_table_cell(t, row, c->gene), *path = sow_table_path(t);
    const long long line = (long long)sow_table_line(t, row);
    if (!*gene) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: response_id is empty; every row names a gene", path, line);
    SOW_TRY(sow_names_add(b->genes, gene, &at, err));
    if (at != row) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: gene %s stands on line %lld already; a baseline has each gene once", path, line, gene, (long long)sow_table_line(t, at));
    SOW_TRY(sow_table_number(&b->share[row], t, row, c->share, err));
    SOW_TRY(sow_table_number(&b->size[row], t, row, c->size, err));
    if (!(b->share[row] > 0 && b->share[row] < 1))
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: relative_expression of %s is '%s'; it is a share of a cell's UMIs, above 0 and below 1", path, line, gene, sow_table_cell(t, row, c->share));
    if (!(b->size[row] > 0 && isfinite(b->size[row])))
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: expression_size of %s is '%s'; a negative-binomial size is a number above 0", path, line, gene, sow_table_cell(t, row, c->size));
done:
    return st;
}

sow_status sow_baseline_read(sow_baseline *out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = NULL;
    columns c;
    double sum = 0;
    *out = (sow_baseline){0};
    SOW_TRY(sow_table_read(&t, path, err));
    SOW_TRY(find_columns(&c, t, err));
    if (sow_table_n_rows(t) == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no genes below the header", path);
    SOW_TRY(sow_baseline_init(out, sow_table_n_rows(t), err));
    for (sow_index i = 0; i < out->n; i++) {
        SOW_TRY(read_row(out, t, &c, i, err));
        sum += out->share[i];
    }
    if (sum > 1.01) SOW_FAIL(err, SOW_E_DATA, "%s: relative_expression sums to %.4g; shares of a cell's UMIs sum to 1 at most (are they counts, or per million?)", path, sum);
done:
    if (st != SOW_OK) sow_baseline_clear(out);
    sow_table_destroy(t);
    return st;
}
