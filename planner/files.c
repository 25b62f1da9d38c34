/* The files people read, each written whole from the events: rounds/NN/{batch.csv, order.csv, bill.csv, plan.json, metrics.json} and metrics.csv. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

void sow_i_remove_leftovers_in(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char *path = strstr(e->d_name, ".tmp-") ? sow_path_join(folder, e->d_name) : NULL;
        if (path) remove(path);
        free(path);
    }
    if (d) closedir(d);
}

void sow_i_remove_leftovers(const sow_campaign *c)
{
    sow_i_remove_leftovers_in(c->dir);
    for (sow_index r = 0; r < c->n_rounds; r++) {
        char *folder = sow_format("%s/rounds/%02lld", c->dir, (long long)r);
        if (folder) sow_i_remove_leftovers_in(folder);
        free(folder);
    }
}

static sow_status batch_rows(sow_batch_row **out, const sow_campaign *c, const sow_i_round *r, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, r->n);
    for (sow_index i = 0; i < r->n; i++) {
        const sow_i_pick *p = &r->pick[i];
        (*out)[i] = (sow_batch_row){.rank = i + 1, .perturbation = sow_i_name(c, p->perturbation), .context = sow_i_site_name(c, p->site),
                                    .strategy = r->strategy, .reason = p->reason, .score = p->score, .planned_cells = p->planned_cells,
                                    .cost = p->cost};
    }
done:
    return st;
}

static sow_status save_in(const char *folder, const char *name, const sow_text *text, sow_error *err)
{
    char *path = sow_path_join(folder, name);
    if (!path) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_status st = sow_text_save(text, path, err);
    free(path);
    return st;
}

static sow_status write_order(const sow_campaign *c, const char *folder, const sow_i_round *r, const sow_batch_row *rows, const sow_env *env,
                              sow_error *err)
{
    sow_text order = {0}, missing = {0};
    sow_status st = sow_order_csv(&order, rows, r->n, c->config->constraints.controls, c->config->constraints.n_controls, &c->config->design,
                                  c->guides, c->config->seed, r->round, &missing, err);
    if (st == SOW_OK) st = save_in(folder, "order.csv", &order, err);
    if (st == SOW_OK && missing.size > 0)
        sow_log(env, SOW_LOG_WARN, "%s has no guide for %s: no sequence in order.csv", c->config->guides.file, missing.text);
    sow_text_clear(&order);
    sow_text_clear(&missing);
    return st;
}

static sow_status write_json(const char *folder, const char *name, const json_t *j, sow_error *err)
{
    sow_text text = {0};
    char *dump = sow_i_json_text(j, 1);
    if (!dump) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_text_append(&text, dump);
    sow_text_append(&text, "\n");
    free(dump);
    sow_status st = save_in(folder, name, &text, err);
    sow_text_clear(&text);
    return st;
}

/* Where nothing has a price there is no bill. */
static sow_status write_bill(const sow_campaign *c, const char *folder, const sow_i_round *r, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0};
    sow_bill bill;
    sow_i_bill(c, r, &bill);
    if (bill.n == 0) return SOW_OK;
    sow_i_bill_csv(&text, &bill);
    st = save_in(folder, "bill.csv", &text, err);
    sow_text_clear(&text);
    return st;
}

/* plan.json holds what varies from run to run; it is written when a round is planned and kept afterwards. */
static sow_status write_plan(const char *folder, const char *plan_json, sow_error *err)
{
    sow_text text = {0};
    if (!plan_json) return SOW_OK;
    sow_text_append(&text, plan_json);
    sow_text_append(&text, "\n");
    sow_status st = save_in(folder, "plan.json", &text, err);
    sow_text_clear(&text);
    return st;
}

sow_status sow_i_write_round(const sow_campaign *c, sow_index round, const char *plan_json, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_round *r = &c->round[round];
    sow_batch_row *rows = NULL;
    sow_text batch = {0};
    char *folder = sow_format("%s/rounds/%02lld", c->dir, (long long)round);
    if (!folder) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_make_directories(folder, err));
    if (c->lean) goto done;
    SOW_TRY(batch_rows(&rows, c, r, err));
    sow_batch_csv(&batch, rows, r->n);
    SOW_TRY(save_in(folder, "batch.csv", &batch, err));
    SOW_TRY(write_order(c, folder, r, rows, env, err));
    SOW_TRY(write_bill(c, folder, r, err));
    SOW_TRY(write_plan(folder, plan_json, err));
    if (r->metrics) SOW_TRY(write_json(folder, "metrics.json", r->metrics, err));
done:
    free(rows);
    free(folder);
    sow_text_clear(&batch);
    return st;
}

static void number_field(sow_text *out, const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    sow_text_append(out, ",");
    sow_text_number(out, json_is_number(v) ? json_number_value(v) : NAN);
}

static void text_field(sow_text *out, const json_t *row, const char *key)
{
    const char *v = json_string_value(json_object_get(row, key));
    sow_text_append(out, ",");
    sow_text_csv(out, v ? v : "");
}

sow_status sow_i_write_metrics(const sow_campaign *c, sow_error *err)
{
    sow_text out = {0};
    if (c->lean) return SOW_OK;
    sow_text_append(&out, "round,measured,model,context,metric,value,low,high\n");
    for (sow_index r = 0; r < c->n_rounds; r++) {
        for (size_t i = 0; i < json_array_size(c->round[r].metrics); i++) {
            const json_t *row = json_array_get(c->round[r].metrics, i);
            sow_text_printf(&out, "%lld,%lld", (long long)json_integer_value(json_object_get(row, "round")),
                            (long long)json_integer_value(json_object_get(row, "measured")));
            text_field(&out, row, "model");
            text_field(&out, row, "context");
            text_field(&out, row, "metric");
            number_field(&out, row, "value");
            number_field(&out, row, "low");
            number_field(&out, row, "high");
            sow_text_append(&out, "\n");
        }
    }
    sow_status st = save_in(c->dir, "metrics.csv", &out, err);
    sow_text_clear(&out);
    return st;
}

sow_status sow_i_write_all(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    int any = 0;
    for (sow_index r = 0; r < c->n_rounds; r++) {
        if (c->round[r].planned) SOW_TRY(sow_i_write_round(c, r, NULL, NULL, err));
        any = any || c->round[r].metrics;
    }
    if (any) SOW_TRY(sow_i_write_metrics(c, err));
done:
    return st;
}
