/* Bills of rounds. A round's bill is recorded with its plan, so that what was spent stays what it was when prices change; rounds recorded before that was so are billed by today's prices. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

/* Prices of a site's context, where it has its own. */
static const sow_config_price *price_of(const sow_campaign *c, sow_index site)
{
    for (sow_index i = 0; i < c->config->n_prices; i++)
        if (strcmp(c->config->prices[i].context, sow_i_site_name(c, site)) == 0) return &c->config->prices[i];
    return NULL;
}

void sow_i_bill_of(const sow_campaign *c, sow_index round, const sow_index *n, const double *cells, sow_bill *out)
{
    sow_bill_part part[SOW_I_SITES_MOST];
    sow_design design = c->config->design;
    if (round > 0) design.control_guides = 0; /* there from round 0 on */
    for (sow_index s = 0; s < c->n_sites; s++) {
        const sow_config_price *own = price_of(c, s);
        part[s] = (sow_bill_part){sow_i_site_name(c, s), n[s], own ? own->per_context : (double)NAN, own ? own->per_cell : (double)NAN, cells ? cells[s] : 0};
    }
    sow_bill_contexts(out, &c->config->costs, &design, part, c->n_sites, c->config->constraints.n_controls);
}

void sow_i_bill_evenly(const sow_campaign *c, sow_index round, sow_index n, sow_bill *out)
{
    sow_index in[SOW_I_SITES_MOST] = {0};
    for (sow_index s = 0; s < c->n_sites; s++)
        in[s] = n / c->n_sites + (s < n % c->n_sites);
    sow_i_bill_of(c, round, in, NULL, out);
}

void sow_i_bill(const sow_campaign *c, const sow_i_round *r, sow_bill *out)
{
    sow_index n[SOW_I_SITES_MOST] = {0};
    double cells[SOW_I_SITES_MOST] = {0};
    if (r->bill) {
        *out = *r->bill;
        return;
    }
    for (sow_index i = 0; i < r->n; i++) {
        n[r->pick[i].site]++;
        cells[r->pick[i].site] += (double)r->pick[i].planned_cells;
    }
    sow_i_bill_of(c, r->round, n, cells, out);
}

double sow_i_cost_of_one(const sow_campaign *c, sow_index site, sow_index cells)
{
    sow_costs costs = c->config->costs;
    sow_design design = c->config->design;
    const sow_config_price *own = price_of(c, site);
    if (own && isfinite(own->per_cell)) costs.per_cell = own->per_cell;
    design.cells_per_perturbation = cells;
    return sow_cost_per_perturbation(&costs, &design);
}

/* ---- as JSON ---- */

json_t *sow_i_bill_row_json(const sow_bill_row *row)
{
    json_t *j = json_pack("{s:s,s:f,s:s,s:f,s:f}", "item", row->item, "quantity", row->quantity, "unit", row->unit, "price", row->price, "cost", row->cost);
    if (*row->note) json_object_set_new(j, "note", json_string(row->note));
    return j;
}

json_t *sow_i_bill_json(const sow_bill *bill)
{
    json_t *rows = json_array();
    for (sow_index i = 0; i < bill->n; i++)
        json_array_append_new(rows, sow_i_bill_row_json(&bill->row[i]));
    return json_pack("{s:o,s:f,s:f,s:f,s:f,s:f,s:f}", "rows", rows, "total", bill->total, "weeks", bill->weeks, "usable_cells", bill->usable, "captured_cells", bill->captured, "cells_to_transduce", bill->transduced,
                     "lanes", bill->lanes);
}

static void copy_text(char *to, size_t size, const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    snprintf(to, size, "%s", text ? text : "");
}

sow_status sow_i_bill_read(sow_bill **out, const json_t *j, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *rows = json_object_get(j, "rows");
    *out = NULL;
    if (!rows) return SOW_OK;
    SOW_NEW(*out, 1);
    for (size_t i = 0; i < json_array_size(rows) && (*out)->n < SOW_BILL_MAX; i++) {
        const json_t *row = json_array_get(rows, i);
        sow_bill_row *to = &(*out)->row[(*out)->n++];
        copy_text(to->item, sizeof to->item, row, "item");
        copy_text(to->unit, sizeof to->unit, row, "unit");
        copy_text(to->note, sizeof to->note, row, "note");
        to->quantity = json_number_value(json_object_get(row, "quantity"));
        to->price = json_number_value(json_object_get(row, "price"));
        to->cost = json_number_value(json_object_get(row, "cost"));
    }
    (*out)->total = json_number_value(json_object_get(j, "total"));
    (*out)->weeks = json_number_value(json_object_get(j, "weeks"));
    (*out)->usable = json_number_value(json_object_get(j, "usable_cells"));
    (*out)->captured = json_number_value(json_object_get(j, "captured_cells"));
    (*out)->transduced = json_number_value(json_object_get(j, "cells_to_transduce"));
    (*out)->lanes = json_number_value(json_object_get(j, "lanes"));
done:
    return st;
}

/* One row an item, over rounds; in cents, so that the sum of the rows stays the sum. */
void sow_i_bill_add(json_t *rows, const sow_bill *bill)
{
    for (sow_index i = 0; i < bill->n; i++) {
        json_t *to = NULL;
        for (size_t k = 0; k < json_array_size(rows) && !to; k++)
            if (strcmp(json_string_value(json_object_get(json_array_get(rows, k), "item")), bill->row[i].item) == 0) to = json_array_get(rows, k);
        if (!to) {
            to = sow_i_bill_row_json(&bill->row[i]);
            json_object_del(to, "note"); /* it is of one round's numbers */
            json_array_append_new(rows, to);
            continue;
        }
        const double cents = round(100 * json_real_value(json_object_get(to, "cost"))) + round(100 * bill->row[i].cost);
        json_object_set_new(to, "quantity", json_real(json_real_value(json_object_get(to, "quantity")) + bill->row[i].quantity));
        json_object_set_new(to, "cost", json_real(cents / 100));
    }
}

void sow_i_bill_csv(sow_text *out, const sow_bill *bill)
{
    sow_text_append(out, "item,quantity,unit,price,cost,note\n");
    for (sow_index i = 0; i < bill->n; i++) {
        const sow_bill_row *row = &bill->row[i];
        sow_text_csv(out, row->item);
        sow_text_append(out, ",");
        sow_text_number(out, row->quantity);
        sow_text_append(out, ",");
        sow_text_csv(out, row->unit);
        sow_text_append(out, ",");
        sow_text_number(out, row->price);
        sow_text_printf(out, ",%.2f,", row->cost);
        sow_text_csv(out, row->note);
        sow_text_append(out, "\n");
    }
    sow_text_printf(out, "sum,,,,%.2f,\n", bill->total);
}
