#include "io/gmt.h"

#include "core/memory.h"
#include "io/table.h"
#include "io/text_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    sow_gmt *gmt;
    sow_index n_start, start_capacity, n_member, member_capacity;
    sow_index *last_set, last_capacity; /* [members] the set that named a member last: so that a doubled member counts once */
    sow_index *set_line, line_capacity;
} reader;

static sow_status add_member(reader *r, const char *name, sow_index set, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index id = 0, known = sow_names_count(r->gmt->members);
    SOW_TRY(sow_names_add(r->gmt->members, name, &id, err));
    if (id == known) {
        if (id >= r->last_capacity) SOW_TRY(sow_grow(&r->last_set, &r->last_capacity, 2 * id + 256, sizeof *r->last_set, err));
        r->last_set[id] = -1;
    }
    if (r->last_set[id] == set) goto done;
    r->last_set[id] = set;
    if (r->n_member >= r->member_capacity)
        SOW_TRY(sow_grow(&r->gmt->member, &r->member_capacity, 2 * r->n_member + 1024, sizeof *r->gmt->member, err));
    r->gmt->member[r->n_member++] = id;
done:
    return st;
}

static sow_status add_set(reader *r, const char *name, sow_index line, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index set = sow_names_count(r->gmt->sets), same = sow_names_find(r->gmt->sets, name);
    if (*name == 0) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: a set without a name", path, (long long)line);
    if (same >= 0)
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: a second set '%s' (the first is in line %lld)", path, (long long)line, name,
                 (long long)r->set_line[same]);
    SOW_TRY(sow_names_add(r->gmt->sets, name, NULL, err));
    if (set >= r->line_capacity) SOW_TRY(sow_grow(&r->set_line, &r->line_capacity, 2 * set + 64, sizeof *r->set_line, err));
    r->set_line[set] = line;
    if (set + 1 >= r->start_capacity) SOW_TRY(sow_grow(&r->gmt->start, &r->start_capacity, 2 * set + 64, sizeof *r->gmt->start, err));
    r->gmt->start[set] = r->n_member;
done:
    return st;
}

/* `text` is one line, cut up in place. */
static sow_status read_line(reader *r, char *text, sow_index line, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index field = 0, set = sow_names_count(r->gmt->sets);
    if (!strchr(text, '\t'))
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: no TAB; a GMT line is name, description, members, separated by TABs", path, (long long)line);
    for (char *at = text; at; field++) {
        char *tab = strchr(at, '\t');
        if (tab) *tab = 0;
        if (field == 0) SOW_TRY(add_set(r, at, line, path, err));
        if (field >= 2 && *at) SOW_TRY(add_member(r, at, set, err));
        at = tab ? tab + 1 : NULL;
    }
    r->gmt->start[set + 1] = r->n_member;
done:
    return st;
}

sow_status sow_gmt_read(sow_gmt **out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    reader r = {0};
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    SOW_NEW(r.gmt, 1);
    SOW_TRY(sow_names_create(&r.gmt->sets, err));
    SOW_TRY(sow_names_create(&r.gmt->members, err));
    SOW_TRY(sow_file_read_text(&text, &size, path, err));
    SOW_TRY(sow_i_check_utf8(text, size, path, err));
    if (memchr(text, 0, size)) SOW_FAIL(err, SOW_E_DATA, "%s:1: not a text file (it has a zero byte)", path);
    char *at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
    for (sow_index line = 1; at && *at; line++) {
        char *end = strchr(at, '\n'), *next = end ? end + 1 : NULL;
        if (!end) end = at + strlen(at);
        if (end > at && end[-1] == '\r') end--;
        *end = 0;
        if (*at) SOW_TRY(read_line(&r, at, line, path, err));
        at = next;
    }
    if (sow_names_count(r.gmt->sets) == 0) SOW_FAIL(err, SOW_E_DATA, "%s:1: the file is empty; no gene set in it", path);
    *out = r.gmt;
    r.gmt = NULL;
done:
    free(text);
    free(r.last_set);
    free(r.set_line);
    sow_gmt_destroy(r.gmt);
    return st;
}

void sow_gmt_destroy(sow_gmt *gmt)
{
    if (!gmt) return;
    sow_names_destroy(gmt->sets);
    sow_names_destroy(gmt->members);
    free(gmt->start);
    free(gmt->member);
    free(gmt);
}
