/* What a kept model was made of, beside the digest of it: so that where the digest is another, what differs can be named. The digest alone decides (model_file.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"
#include "planner/map.h"

enum { NAMED_MOST = 6 };

/* ---- keeping ---- */

static sow_status put_names(sow_archive *a, const char *item, const sow_names *names, sow_error *err)
{
    sow_status st = SOW_OK;
    const char **name = NULL;
    const sow_index n = sow_names_count(names);
    SOW_NEW(name, n);
    for (sow_index i = 0; i < n; i++) name[i] = sow_names_get(names, i);
    SOW_TRY(sow_archive_put(a, item, SOW_ARCHIVE_TEXT, name, n, 1, err));
done:
    free(name);
    return st;
}

static sow_status put_lines(sow_archive *a, const char *item, char **line, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        if (!line[i]) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    return sow_archive_put(a, item, SOW_ARCHIVE_TEXT, (const void *)line, n, 1, err);
}

static void free_lines(char **line, sow_index n)
{
    for (sow_index i = 0; line && i < n; i++) free(line[i]);
    free(line);
}

/* Values of a prior in a word. */
static void word_of(char word[17], const void *bytes, sow_index size)
{
    const unsigned char *x = bytes;
    uint64_t h = 14695981039346656037u;
    for (sow_index i = 0; x && i < size; i++) h = (h ^ x[i]) * 1099511628211u;
    snprintf(word, 17, "%016llx", (unsigned long long)h);
}

static char *line_of_prior(const sow_prior *p)
{
    char word[17];
    if (p->kind == SOW_PRIOR_DENSE) word_of(word, p->x, p->n_items * p->dim * (sow_index)sizeof *p->x);
    else word_of(word, p->member, p->start[p->n_items] * (sow_index)sizeof *p->member);
    return sow_format("%s\t%lld %s\t%s", p->name, (long long)p->dim, p->kind == SOW_PRIOR_DENSE ? "columns" : "sets", word);
}

static sow_status put_priors(sow_archive *a, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior_set *s = &c->model_priors;
    char **line = NULL;
    SOW_NEW(line, s->n_priors + 1);
    for (sow_index i = 0; i < s->n_priors; i++) line[i] = line_of_prior(&s->priors[i]);
    line[s->n_priors] = sow_format("all, fused\t%lld dimensions\t", (long long)s->fused_dim);
    SOW_TRY(put_lines(a, "from/priors", line, s->n_priors + 1, err));
done:
    free_lines(line, s->n_priors + 1);
    return st;
}

/* Rows of each context, by name. */
static sow_status put_rows(sow_archive *a, const sow_campaign *c, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_names *contexts = c->screen->contexts;
    const sow_index n = sow_names_count(contexts);
    sow_index *rows = NULL;
    char **line = NULL;
    SOW_NEW(rows, n);
    SOW_NEW(line, n);
    for (sow_index i = 0; i < t->n; i++) rows[t->context[i]]++;
    for (sow_index k = 0; k < n; k++) line[k] = sow_format("%s\t%lld\t", sow_names_get(contexts, k), (long long)rows[k]);
    SOW_TRY(put_lines(a, "from/rows", line, n, err));
done:
    free(rows);
    free_lines(line, n);
    return st;
}

sow_status sow_i_origin_put(sow_archive *a, const sow_campaign *c, const sow_training *t, const json_t *settings, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = json_dumps(settings, JSON_SORT_KEYS | JSON_COMPACT);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_archive_put_text(a, "from/settings", text, err));
    SOW_TRY(sow_archive_put_text(a, "from/data", c->world_digest, err));
    SOW_TRY(put_names(a, "from/genes", sow_i_feature_names(c), err));
    SOW_TRY(put_names(a, "from/perturbations", c->screen->perturbations, err));
    SOW_TRY(put_priors(a, c, err));
    SOW_TRY(put_rows(a, c, t, err));
done:
    free(text);
    return st;
}

/* ---- naming what differs ---- */

typedef struct {
    sow_text text;
    sow_index n, unnamed;
} differences;

/* Room for one more, or it is only counted. */
static int next_of(differences *d)
{
    if (d->n == NAMED_MOST) d->unnamed++;
    else if (d->n++) sow_text_append(&d->text, "; ");
    return d->unnamed == 0;
}

static void put_value(sow_text *t, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    sow_text_printf(t, "%.60s%s", text ? text : "none", text && strlen(text) > 60 ? "..." : "");
    free(text);
}

static void compare_settings(differences *d, const char *path, const json_t *then, const json_t *now)
{
    const char *key;
    json_t *value;
    if (json_equal(then, now) || (!then && !now)) return;
    if (!json_is_object(then) || !json_is_object(now)) {
        if (!next_of(d)) return;
        sow_text_printf(&d->text, "%s ", path);
        put_value(&d->text, then);
        sow_text_append(&d->text, " (here ");
        put_value(&d->text, now);
        sow_text_append(&d->text, ")");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)now, key, value) { /* only read */
        char *longer = sow_format("%s%s%s", path, *path ? "." : "", key);
        if (longer) compare_settings(d, longer, json_object_get(then, key), value);
        free(longer);
    }
    json_object_foreach((json_t *)(uintptr_t)then, key, value) {
        char *longer = json_object_get(now, key) ? NULL : sow_format("%s%s%s", path, *path ? "." : "", key);
        if (longer) compare_settings(d, longer, value, NULL);
        free(longer);
    }
}

static sow_status compare_names(differences *d, const char *what, const sow_archive_item *then, const sow_archive_item *now, sow_error *err)
{
    sow_status st = SOW_OK;
    char *said = NULL;
    if (!then || !now || then->kind != SOW_ARCHIVE_TEXT) return SOW_OK;
    SOW_TRY(sow_names_difference(&said, what, then->data, then->rows, now->data, now->rows, err));
    if (said && next_of(d)) sow_text_append(&d->text, said);
done:
    free(said);
    return st;
}

/* The line that begins with the same name, up to its tab. */
static const char *line_like(const sow_archive_item *lines, const char *line)
{
    const size_t n = strcspn(line, "\t") + 1;
    char *const *x = lines->data;
    for (sow_index i = 0; i < lines->rows; i++)
        if (strncmp(x[i], line, n) == 0) return x[i];
    return NULL;
}

/* "name TAB size TAB word of its values": of what is in both, the sizes where they differ, else that the values do. */
static void compare_lines(differences *d, const char *what, const char *unit, const sow_archive_item *then, const sow_archive_item *now)
{
    if (!then || !now || then->kind != SOW_ARCHIVE_TEXT) return;
    for (sow_index i = 0; i < then->rows; i++) {
        const char *old = ((char *const *)then->data)[i], *new_ = line_like(now, old);
        const int name = (int)strcspn(old, "\t");
        if ((new_ && strcmp(old, new_) == 0) || !next_of(d)) continue;
        const char *size = old + name + 1, *size_now = new_ ? new_ + name + 1 : NULL;
        const int a = (int)strcspn(size, "\t"), b = size_now ? (int)strcspn(size_now, "\t") : 0;
        if (!new_) sow_text_printf(&d->text, "%s '%.*s', which is not here", what, name, old);
        else if (a == b && strncmp(size, size_now, (size_t)a) == 0) sow_text_printf(&d->text, "%s '%.*s' with other values", what, name, old);
        else sow_text_printf(&d->text, "%s '%.*s' with %.*s%s (here %.*s)", what, name, old, a, size, unit, b, size_now);
    }
    for (sow_index i = 0; i < now->rows; i++) {
        const char *new_ = ((char *const *)now->data)[i];
        if (!line_like(then, new_) && next_of(d)) sow_text_printf(&d->text, "no %s '%.*s'", what, (int)strcspn(new_, "\t"), new_);
    }
}

static void compare_data(differences *d, const sow_archive *then, const sow_archive *now)
{
    const char *a = NULL, *b = NULL;
    if (sow_archive_get_text(&a, then, "from/data", NULL) == SOW_OK && sow_archive_get_text(&b, now, "from/data", NULL) == SOW_OK && strcmp(a, b) != 0 && next_of(d))
        sow_text_append(&d->text, "other data files");
}

static void compare_all_settings(differences *d, const sow_archive *then, const sow_archive *now)
{
    const char *a = NULL, *b = NULL;
    if (sow_archive_get_text(&a, then, "from/settings", NULL) != SOW_OK || sow_archive_get_text(&b, now, "from/settings", NULL) != SOW_OK) return;
    json_t *x = json_loads(a, 0, NULL), *y = json_loads(b, 0, NULL);
    if (x && y) compare_settings(d, "", x, y);
    json_decref(x);
    json_decref(y);
}

sow_status sow_i_origin_differs(char **out, int *foreign, const sow_archive *then, const sow_archive *now, sow_error *err)
{
    sow_status st = SOW_OK;
    differences d = {0};
    *out = NULL;
    *foreign = 1;
    if (!sow_archive_find(then, "from/settings")) {
        *out = sow_strdup("something that it does not say: an earlier version of sower kept it");
        if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        goto done;
    }
    SOW_TRY(compare_names(&d, "gene", sow_archive_find(then, "from/genes"), sow_archive_find(now, "from/genes"), err));
    compare_lines(&d, "prior", "", sow_archive_find(then, "from/priors"), sow_archive_find(now, "from/priors"));
    compare_all_settings(&d, then, now);
    compare_data(&d, then, now);
    *foreign = d.n > 0;
    SOW_TRY(compare_names(&d, "perturbation", sow_archive_find(then, "from/perturbations"), sow_archive_find(now, "from/perturbations"), err));
    compare_lines(&d, "context", " measured", sow_archive_find(then, "from/rows"), sow_archive_find(now, "from/rows"));
    if (d.n == 0) sow_text_append(&d.text, "other measurements, or another pool");
    if (d.unnamed) sow_text_printf(&d.text, "; and %lld more", (long long)d.unnamed);
    if (d.text.failed || !(*out = sow_strdup(d.text.text))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    sow_text_clear(&d.text);
    return st;
}
