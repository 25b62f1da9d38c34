/* Open addressing with linear probing over positions into one array of copies; FNV-1a. Positions follow the order of adding, so nothing
 * that is printed depends on the hash. Nearest names by the restricted Damerau-Levenshtein distance ("optimal string alignment"). */
#include "core/names.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

struct sow_names {
    char **text; /* [count] */
    sow_index count, capacity;
    sow_index *slot; /* [n_slots] position + 1; 0 = free */
    sow_index n_slots; /* a power of two, more than 4/3 of count */
};

static uint64_t hash_of(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h ^ (h >> 32);
}

/* The slot that holds `name`, or the free one where it belongs. */
static sow_index slot_of(const sow_names *names, const char *name)
{
    uint64_t mask = (uint64_t)names->n_slots - 1, i = hash_of(name) & mask;
    while (names->slot[i] && strcmp(names->text[names->slot[i] - 1], name) != 0) i = (i + 1) & mask;
    return (sow_index)i;
}

static sow_status rehash(sow_names *names, sow_index n_slots, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *slot = NULL;
    SOW_NEW(slot, n_slots);
    free(names->slot);
    names->slot = slot;
    names->n_slots = n_slots;
    for (sow_index i = 0; i < names->count; i++) names->slot[slot_of(names, names->text[i])] = i + 1;
done:
    return st;
}

sow_status sow_names_create(sow_names **out, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    *out = NULL;
    SOW_NEW(names, 1);
    SOW_TRY(rehash(names, 16, err));
    *out = names;
    names = NULL;
done:
    sow_names_destroy(names);
    return st;
}

void sow_names_destroy(sow_names *names)
{
    if (!names) return;
    for (sow_index i = 0; i < names->count; i++) free(names->text[i]);
    free(names->text);
    free(names->slot);
    free(names);
}

sow_status sow_names_add(sow_names *names, const char *name, sow_index *position, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index at = slot_of(names, name);
    if (!names->slot[at]) {
        if (4 * (names->count + 1) > 3 * names->n_slots) {
            SOW_TRY(rehash(names, 2 * names->n_slots, err));
            at = slot_of(names, name);
        }
        SOW_TRY(sow_grow(&names->text, &names->capacity, names->count + 1, sizeof *names->text, err));
        char *copy = sow_strdup(name);
        if (!copy) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the name '%.60s'", name);
        names->text[names->count++] = copy;
        names->slot[at] = names->count;
    }
    if (position) *position = names->slot[at] - 1;
done:
    return st;
}

sow_index sow_names_find(const sow_names *names, const char *name)
{
    return names && name ? names->slot[slot_of(names, name)] - 1 : -1;
}

sow_index sow_names_count(const sow_names *names)
{
    return names ? names->count : 0;
}

const char *sow_names_get(const sow_names *names, sow_index i)
{
    return i >= 0 && i < sow_names_count(names) ? names->text[i] : NULL;
}

enum { LONGEST_COMPARED = 127 }; /* a longer name is not a spelling mistake of anything */

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Restricted Damerau-Levenshtein distance of a [n] and b [m], both at most LONGEST_COMPARED long; three rows of the usual table. */
static int distance(const char *a, int n, const char *b, int m)
{
    int rows[3][LONGEST_COMPARED + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= m; j++) last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int differ = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + differ);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        int *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[m];
}

const char *sow_nearest_of(const char *const *names, sow_index n, const char *name)
{
    if (!name) return NULL;
    size_t length = strlen(name);
    if (length == 0 || length > LONGEST_COMPARED) return NULL;
    const char *nearest = NULL;
    int best = length < 3 ? 2 : (int)length / 3 + 1; /* one more than is allowed */
    for (sow_index i = 0; i < n; i++) {
        size_t other = names[i] ? strlen(names[i]) : 0;
        if (other == 0 || other > LONGEST_COMPARED || abs((int)other - (int)length) >= best) continue;
        int d = distance(name, (int)length, names[i], (int)other);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

const char *sow_names_nearest(const sow_names *names, const char *name)
{
    return names ? sow_nearest_of((const char *const *)names->text, names->count, name) : NULL;
}

/* ---- two lists ---- */

enum { NAMED_MOST = 5 };

static sow_status set_of(sow_names **out, char *const *name, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_names_create(out, err));
    for (sow_index i = 0; i < n; i++) SOW_TRY(sow_names_add(*out, name[i], NULL, err));
done:
    return st;
}

/* Names of a that b lacks: how many, and "A, B, C, ..." of the first; caller frees. */
static sow_status lacking(char **list, sow_index *n, const sow_names *a, const sow_names *b, sow_error *err)
{
    sow_status st = SOW_OK;
    *n = 0;
    for (sow_index i = 0; i < sow_names_count(a); i++) {
        const char *name = sow_names_get(a, i);
        if (sow_names_find(b, name) >= 0 || (*n)++ > NAMED_MOST) continue;
        char *longer = *n > NAMED_MOST ? sow_format("%s, ...", *list) : sow_format("%s%s%.60s", *list ? *list : "", *list ? ", " : "", name);
        free(*list);
        *list = longer;
        if (!longer) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
done:
    return st;
}

sow_status sow_names_difference(char **out, const char *what, char *const *then, sow_index n_then, char *const *now, sow_index n_now, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *a = NULL, *b = NULL;
    char *gone = NULL, *new_ = NULL;
    sow_index n_gone = 0, n_new = 0, same = n_then == n_now;
    *out = NULL;
    SOW_TRY(set_of(&a, then, n_then, err));
    SOW_TRY(set_of(&b, now, n_now, err));
    SOW_TRY(lacking(&gone, &n_gone, a, b, err));
    SOW_TRY(lacking(&new_, &n_new, b, a, err));
    for (sow_index i = 0; same && i < n_now; i++) same = strcmp(then[i], now[i]) == 0;
    if (same) goto done;
    if (n_gone && n_new)
        *out = sow_format("%lld %s%s that %s not here (%s), and without %lld that %s (%s)", (long long)n_gone, what, n_gone == 1 ? "" : "s", n_gone == 1 ? "is" : "are", gone, (long long)n_new, n_new == 1 ? "is" : "are", new_);
    else if (n_gone) *out = sow_format("%lld %s%s that %s not here (%s)", (long long)n_gone, what, n_gone == 1 ? "" : "s", n_gone == 1 ? "is" : "are", gone);
    else if (n_new) *out = sow_format("without %lld %s%s that %s here (%s)", (long long)n_new, what, n_new == 1 ? "" : "s", n_new == 1 ? "is" : "are", new_);
    else *out = sow_format("the same %ss in another order", what);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(gone);
    free(new_);
    sow_names_destroy(a);
    sow_names_destroy(b);
    return st;
}
