#include "io/source_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *agent; /* owned until handed to the detail */
    double dose;
} part;

static sow_index count_parts(const char *text, const char *separator)
{
    sow_index n = 1;
    if (separator && *separator)
        for (const char *at = strstr(text, separator); at; at = strstr(at + strlen(separator), separator)) n++;
    return n;
}

/* The k-th piece of `text`, without blanks at its ends. NULL = out of memory. */
static char *piece(const char *text, const char *separator, sow_index k)
{
    const char *end = NULL;
    for (;; k--) {
        end = separator && *separator ? strstr(text, separator) : NULL;
        if (!end) end = text + strlen(text);
        if (k == 0) break;
        text = end + strlen(separator);
    }
    while (text < end && *text == ' ') text++;
    while (end > text && end[-1] == ' ') end--;
    return sow_strndup(text, (size_t)(end - text));
}

static int by_agent(const void *pa, const void *pb)
{
    const part *a = pa, *b = pb;
    int order = strcmp(a->agent, b->agent);
    if (order) return order;
    if (isnan(a->dose) || isnan(b->dose)) return !isnan(a->dose) - !isnan(b->dose);
    return (a->dose > b->dose) - (a->dose < b->dose);
}

static sow_status parse_dose(double *out, const char *dose, const char *separator, sow_index k, sow_index n, const char *place, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    *out = NAN;
    if (!dose || !*dose) return SOW_OK;
    sow_index doses = count_parts(dose, separator);
    if (doses != 1 && doses != n)
        SOW_FAIL(err, SOW_E_DATA, "%s: %lld doses for %lld agents ('%.60s')", place, (long long)doses, (long long)n, dose);
    text = piece(dose, separator, doses == 1 ? 0 : k);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (!sow_i_parse_number(out, text)) SOW_FAIL(err, SOW_E_DATA, "%s: the dose '%.60s' is no number", place, text);
done:
    free(text);
    return st;
}

/* Sorted, each once; returns how many are left. */
static sow_index sort_unique(part *parts, sow_index n)
{
    sow_index kept = 0;
    if (n > 0) qsort(parts, (size_t)n, sizeof *parts, by_agent);
    for (sow_index i = 0; i < n; i++) {
        if (kept > 0 && by_agent(&parts[kept - 1], &parts[i]) == 0)
            free(parts[i].agent);
        else
            parts[kept++] = parts[i];
    }
    return kept;
}

static char *print_name(const part *parts, sow_index n, const char *joint)
{
    size_t size = 1, at = 0;
    for (sow_index i = 0; i < n; i++) size += strlen(parts[i].agent) + strlen(joint) + 32;
    char *name = sow_calloc((sow_index)size, 1);
    for (sow_index i = 0; name && i < n; i++) {
        at += (size_t)snprintf(name + at, size - at, "%s%s", i ? joint : "", parts[i].agent);
        if (!isnan(parts[i].dose)) at += (size_t)snprintf(name + at, size - at, "@%.10g", parts[i].dose);
    }
    return name;
}

static sow_status fill_detail(sow_perturbation *detail, part *parts, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(detail->agent, n);
    SOW_NEW(detail->dose, n);
    detail->n_agents = n;
    for (sow_index i = 0; i < n; i++) {
        detail->agent[i] = parts[i].agent;
        detail->dose[i] = parts[i].dose;
        parts[i].agent = NULL;
    }
done:
    return st;
}

sow_status sow_i_perturbation_parse(char **name, sow_perturbation *detail, const char *text, const char *dose, const sow_i_spelling *spelling,
                                    const char *place, sow_error *err)
{
    sow_status st = SOW_OK;
    part *parts = NULL;
    sow_index pieces = count_parts(text, spelling->separator), n = 0;
    *name = NULL;
    memset(detail, 0, sizeof *detail);
    if (spelling->control && strcmp(text, spelling->control) == 0) return SOW_OK;
    SOW_NEW(parts, pieces);
    for (sow_index k = 0; k < pieces; k++) {
        char *agent = piece(text, spelling->separator, k);
        if (!agent) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        if (!*agent || (spelling->control && strcmp(agent, spelling->control) == 0)) {
            free(agent);
            continue;
        }
        parts[n++].agent = agent;
        SOW_TRY(parse_dose(&parts[n - 1].dose, dose, spelling->separator, k, pieces, place, err));
    }
    n = sort_unique(parts, n);
    if (n == 0) goto done;
    *name = print_name(parts, n, spelling->joint ? spelling->joint : "+");
    if (!*name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(fill_detail(detail, parts, n, err));
done:
    for (sow_index i = 0; parts && i < n; i++) free(parts[i].agent);
    free(parts);
    if (st != SOW_OK) {
        sow_i_perturbation_clear(detail);
        free(*name);
        *name = NULL;
    }
    return st;
}

void sow_i_perturbation_clear(sow_perturbation *detail)
{
    for (sow_index i = 0; i < detail->n_agents; i++) free(detail->agent[i]);
    free(detail->agent);
    free(detail->dose);
    memset(detail, 0, sizeof *detail);
}
