/* Cells in events: which rows of which file were handed out. Events name rows, not positions, so that they stay true when a filter takes other
 * cells away. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

json_t *sow_i_cells_json(const sow_campaign *c, const sow_index *cell, sow_index n)
{
    const sow_cells *t = &c->cells->table;
    json_t *lists = json_array(), *list = NULL;
    int32_t matrix = -1;
    for (sow_index i = 0; i < n; i++) { /* ascending positions stand matrix by matrix */
        if (!list || t->in_matrix[cell[i]] != matrix) {
            matrix = t->in_matrix[cell[i]];
            list = json_array();
            json_array_append_new(list, json_integer(matrix));
            json_array_append_new(lists, list);
        }
        json_array_append_new(list, json_integer((json_int_t)t->row[cell[i]]));
    }
    return lists;
}

json_t *sow_i_cells_result_json(const sow_campaign *c, sow_index site, sow_index q, sow_outcome outcome, const sow_index *cell, sow_index n, const char *reason)
{
    json_t *row = json_pack("{s:s,s:i}", "perturbation", sow_i_name(c, q), "outcome", (int)outcome);
    sow_i_say_site(row, c, site);
    if (reason && *reason) json_object_set_new(row, "reason", json_string(reason));
    if (outcome != SOW_FAILED) json_object_set_new(row, "handed_out", sow_i_cells_json(c, cell, n));
    return row;
}

/* The table is in the order of (matrix, row). */
static sow_index find_cell(const sow_cells *t, json_int_t matrix, json_int_t row)
{
    sow_index low = 0, high = t->n;
    while (low < high) {
        sow_index mid = low + (high - low) / 2;
        if (t->in_matrix[mid] < matrix || (t->in_matrix[mid] == matrix && t->row[mid] < row)) low = mid + 1;
        else high = mid;
    }
    return low < t->n && t->in_matrix[low] == matrix && t->row[low] == row ? low : -1;
}

sow_status sow_i_cells_positions(sow_index **out, sow_index *n, const sow_campaign *c, const json_t *lists, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index count = 0;
    *n = 0;
    for (size_t i = 0; i < json_array_size(lists); i++)
        count += (sow_index)json_array_size(json_array_get(lists, i));
    SOW_NEW(*out, count);
    for (size_t i = 0; i < json_array_size(lists); i++) {
        const json_t *list = json_array_get(lists, i);
        json_int_t matrix = json_integer_value(json_array_get(list, 0));
        for (size_t k = 1; k < json_array_size(list); k++) {
            json_int_t row = json_integer_value(json_array_get(list, k));
            sow_index at = find_cell(&c->cells->table, matrix, row);
            if (at < 0)
                SOW_FAIL(err, SOW_E_DATA, "%s/campaign.db: the campaign names cell %lld of its file %lld, which the data or `features` no longer have", c->dir,
                         (long long)row + 1, (long long)matrix + 1);
            (*out)[(*n)++] = at;
        }
    }
done:
    if (st != SOW_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

sow_status sow_i_apply_draw(sow_campaign *c, sow_i_round *r, sow_index q, const json_t *row, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_item *item = &c->here->item[q];
    sow_i_draw *grown = NULL;
    sow_i_draw draw = {.round = r->round};
    SOW_TRY(sow_i_cells_positions(&draw.cell, &draw.n, c, json_object_get(row, "handed_out"), err));
    SOW_NEW(grown, item->n_draws + 1);
    if (item->n_draws) memcpy(grown, item->draw, (size_t)item->n_draws * sizeof *grown);
    grown[item->n_draws] = draw;
    draw.cell = NULL;
    free(item->draw);
    item->draw = grown;
    item->n_draws++;
    item->cells = (isfinite(item->cells) ? item->cells : 0) + (double)draw.n;
    item->weight = item->cells;
    if (c->cells->frozen) SOW_TRY(sow_i_item_respond(c, q, err));
done:
    free(draw.cell);
    return st;
}
