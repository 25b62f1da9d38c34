#include "io/source_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rule_text[SOW_I_DROP_COUNT] = {
    [SOW_I_DROP_CONTROL] = "control rows",
    [SOW_I_DROP_NO_NAME] = "no perturbation name",
    [SOW_I_DROP_CONTEXT] = "of other contexts",
    [SOW_I_DROP_READOUT] = "NaN readout",
    [SOW_I_DROP_TRANSFORM] = "readout outside the transform's domain",
    [SOW_I_DROP_CELLS] = "no cells",
    [SOW_I_DROP_VARIANCE] = "variance missing or not above 0",
    [SOW_I_DROP_COVARIATE] = "NaN in a column of adjust_for",
};

sow_status sow_i_tally_create(sow_i_tally *t, sow_error *err)
{
    sow_status st = SOW_OK;
    memset(t, 0, sizeof *t);
    for (int i = 0; i < SOW_I_DROP_COUNT; i++) SOW_TRY(sow_names_create(&t->names[i], err));
done:
    return st;
}

void sow_i_tally_clear(sow_i_tally *t)
{
    for (int i = 0; i < SOW_I_DROP_COUNT; i++) sow_names_destroy(t->names[i]);
    memset(t, 0, sizeof *t);
}

sow_status sow_i_tally_add(sow_i_tally *t, sow_i_drop rule, const char *name, sow_error *err)
{
    t->count[rule]++;
    return sow_names_add(t->names[rule], name, NULL, err);
}

char *sow_i_tally_summary(const sow_i_tally *t)
{
    char text[640] = "";
    size_t at = 0;
    for (int i = 0; i < SOW_I_DROP_COUNT; i++) {
        if (t->count[i] == 0 || at + 80 > sizeof text) continue;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld %s", at ? ", " : "", (long long)t->count[i], rule_text[i]);
    }
    return sow_strdup(text);
}

/* `names` has the first SOW_I_NAMES_SHOWN of n names at least. */
static sow_status add_line(sow_dropped *d, const char *path, const char *what, const char *const *names, sow_index n, sow_index count, sow_error *err)
{
    sow_status st = SOW_OK;
    char *line = NULL, *text = NULL;
    SOW_TRY(sow_grow(&d->item, &d->capacity, d->n + 1, sizeof *d->item, err));
    line = sow_format("%s: %s", sow_i_basename(path), what);
    text = sow_i_name_list(names, n, SOW_I_NAMES_SHOWN);
    if (!line || !text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    d->item[d->n].what = line;
    d->item[d->n].names = text;
    d->item[d->n].count = count;
    d->n++;
    line = text = NULL;
done:
    free(line);
    free(text);
    return st;
}

sow_status sow_i_dropped_add(sow_dropped *d, const char *path, const char *what, const sow_names *names, sow_index count, sow_error *err)
{
    sow_status st = SOW_OK;
    const char **list = NULL;
    if (!d || count == 0) return SOW_OK;
    sow_index n = sow_names_count(names);
    SOW_NEW(list, n);
    for (sow_index i = 0; i < n; i++) list[i] = sow_names_get(names, i);
    st = add_line(d, path, what, list, n, count, err);
done:
    free(list);
    return st;
}

sow_status sow_i_dropped_add_first(sow_dropped *d, const char *path, const char *what, const char *const *names, sow_index count, sow_error *err)
{
    return !d || count == 0 ? SOW_OK : add_line(d, path, what, names, count, count, err);
}

sow_status sow_i_tally_report(sow_dropped *dropped, const sow_i_tally *t, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    for (int i = 0; i < SOW_I_DROP_COUNT; i++)
        if (i != SOW_I_DROP_CONTEXT) SOW_TRY(sow_i_dropped_add(dropped, path, rule_text[i], t->names[i], t->count[i], err));
done:
    return st;
}

void sow_dropped_clear(sow_dropped *d)
{
    for (sow_index i = 0; d->item && i < d->n; i++) {
        free(d->item[i].what);
        free(d->item[i].names);
    }
    free(d->item);
    memset(d, 0, sizeof *d);
}
