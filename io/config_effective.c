/* The configuration in force as JSON, row by row of the table. */
#include "io/config_internal.h"

#include "core/memory.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The path as the file says it, so that moving the folder changes nothing. */
static const char *written_path(const sow_i_arena *arena, const char *resolved)
{
    for (sow_index i = 0; i < arena->n_paths; i++)
        if (arena->path[i].resolved == resolved) return arena->path[i].written;
    return resolved;
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *choice_value(const sow_i_key *key, int i)
{
    const char *p = key->allowed;
    while (i-- > 0)
        p += strcspn(p, ",") + 1;
    return json_stringn(p, strcspn(p, ","));
}

static json_t *list_value(const sow_i_key *key, const char *base)
{
    sow_index n;
    const void *array;
    json_t *list = json_array();
    memcpy(&n, base + key->offset_n, sizeof n);
    memcpy(&array, base + key->offset, sizeof array);
    for (sow_index i = 0; i < n; i++)
        json_array_append_new(list, key->type == SOW_KEY_INTS ? json_integer(((const sow_index *)array)[i])
                                                              : text_or_null(((const char *const *)array)[i]));
    return list;
}

static json_t *group_value(const sow_i_arena *arena, const char *path, const char *base);

static json_t *entries_value(const sow_i_arena *arena, const sow_i_key *key, const char *base)
{
    sow_index n;
    const char *array;
    char *path = sow_format("%s[]", key->path);
    json_t *list = json_array();
    memcpy(&n, base + key->offset_n, sizeof n);
    memcpy(&array, base + key->offset, sizeof array);
    for (sow_index i = 0; i < n && path; i++)
        json_array_append_new(list, group_value(arena, path, array + (size_t)i * key->size));
    if (!path) {
        json_decref(list);
        list = NULL;
    }
    free(path);
    return list;
}

static json_t *key_value(const sow_i_arena *arena, const sow_i_key *key, const char *base)
{
    sow_index i;
    double x;
    int k;
    const char *s;
    const char *at = base + key->offset;
    switch (key->type) {
    case SOW_KEY_MAPPING:
        return group_value(arena, key->path, base);
    case SOW_KEY_LIST:
        return entries_value(arena, key, base);
    case SOW_KEY_TEXTS:
    case SOW_KEY_INTS:
        return list_value(key, base);
    case SOW_KEY_INT:
        memcpy(&i, at, sizeof i);
        if (key->word && i == (sow_index)key->none) return json_string(key->word);
        return !key->standard && !(key->flags & SOW_KEY_REQUIRED) && i == (sow_index)key->none ? json_null() : json_integer(i);
    case SOW_KEY_NUMBER:
        memcpy(&x, at, sizeof x);
        if (key->word && !isfinite(x)) return json_string(key->word);
        return isfinite(x) ? json_real(x) : json_null();
    case SOW_KEY_BOOL:
        memcpy(&k, at, sizeof k);
        return json_boolean(k);
    case SOW_KEY_CHOICE:
        memcpy(&k, at, sizeof k);
        return choice_value(key, k);
    case SOW_KEY_CURRENCY:
        return json_string(at);
    default:
        memcpy(&s, at, sizeof s);
        return text_or_null(key->type == SOW_KEY_FILE ? written_path(arena, s) : s);
    }
}

/* One mapping; a value that could not be made (no memory) makes the whole NULL. */
static json_t *group_value(const sow_i_arena *arena, const char *path, const char *base)
{
    sow_index n = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    json_t *group = json_object();
    for (sow_index i = 0; i < n && group; i++) {
        if (!sow_i_key_is_child(&keys[i], path) || keys[i].type == SOW_KEY_UNSUPPORTED) continue;
        json_t *value = keys[i].offset == SIZE_MAX ? json_string(keys[i].standard) : key_value(arena, &keys[i], base);
        if (json_object_set_new(group, sow_i_key_name(&keys[i]), value) == 0) continue;
        json_decref(group);
        group = NULL;
    }
    return group;
}

sow_status sow_config_effective(char **out, const sow_config *config, sow_error *err)
{
    *out = NULL;
    json_t *root = group_value(config->arena, "", (const char *)config);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory printing the configuration");
    *out = text;
    return SOW_OK;
}
