/* From a cell file to its mapped matrix: the cache's name, whether what lies there can be used, making it when not. */
#include "io/cell_cache.h"

#include "core/memory.h"
#include "io/cell_cache_internal.h"
#include "io/file.h"
#include "io/file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What shapes the matrix: the source, the settings and how it is kept. */
static sow_status cache_key(char key[65], const char *source_digest, const sow_cell_file_options *o, sow_error *err)
{
    const char *layer = o->layer ? o->layer : "X", *genes = o->gene_column ? o->gene_column : "";
    char *text = sow_format("sower cells %d\n%s\nlayer %zu %s\ngenes %d %zu %s\ncounts %d\n", (int)SOW_I_CACHE_VERSION, source_digest, strlen(layer), layer,
                            o->gene_column != NULL, strlen(genes), genes, o->counts != 0);
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(key, text, strlen(text));
    free(text);
    return SOW_OK;
}

/* *whole says whether there is a cache that can be used. */
static sow_status open_existing(sow_cell_matrix *out, int *whole, const char *path, const char *key, const sow_env *env, sow_error *err)
{
    const char *why = NULL;
    *whole = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return SOW_OK;
    if (fd < 0) return sow_i_io_error(err, "read", path, errno);
    sow_status st = sow_i_cache_map(out, whole, &why, fd, 1, path, key, env, err);
    close(fd);
    if (st == SOW_OK && !*whole) sow_log(env, SOW_LOG_WARN, "%s: this cache cannot be used (%s); it is made again", path, why);
    return st;
}

/* Advice on folders that cannot be written speaks of --out, which is where results go. */
static sow_status say_cache(sow_status st, sow_error *err)
{
    static const char other[] = "(--out)", own[] = "(--cache)";
    char *at = err && st == SOW_E_IO ? strstr(err->message, other) : NULL;
    if (!at) return st;
    size_t tail = strlen(at + strlen(other)), room = sizeof err->message - (size_t)(at - err->message) - sizeof own;
    memmove(at + strlen(own), at + strlen(other), tail < room ? tail : room);
    memcpy(at, own, strlen(own));
    at[strlen(own) + (tail < room ? tail : room)] = '\0';
    return st;
}

static sow_status make(sow_cell_matrix *out, const char *path, const char *key, const sow_cell_file_options *options, const sow_i_file_state *before,
                       const char *folder, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *file = NULL;
    sow_i_file_state after;
    const char *why = NULL;
    int fd = -1, whole = 0;
    sow_i_cache_sweep(folder);
    SOW_TRY(sow_cell_file_open(&file, options, env, err));
    SOW_TRY(say_cache(sow_i_cache_write(&fd, path, key, file, env, err), err));
    SOW_TRY(sow_i_cell_source_digest(NULL, &after, options->path, folder, err));
    if (!sow_i_file_state_same(before, &after)) {
        unlink(path); /* it holds what was read, under the name of what was there before */
        SOW_FAIL(err, SOW_E_IO, "%s: it changed while it was read; run the same command again", options->path);
    }
    SOW_TRY(sow_i_cache_map(out, &whole, &why, fd, 0, path, key, env, err));
    if (!whole) SOW_FAIL(err, SOW_E_IO, "%s: it was altered while it was written (%s); run the same command again", path, why);
    sow_log(env, SOW_LOG_INFO, "%s: %lld cells x %lld genes, %lld values (%s), kept in %s", options->path, (long long)out->n_cells, (long long)out->n_genes,
            (long long)out->start[out->n_cells], sow_cell_file_layout(file), path);
done:
    if (fd >= 0) close(fd);
    sow_cell_file_close(file);
    return st;
}

sow_status sow_cell_matrix_open(sow_cell_matrix *out, char digest[65], const sow_cell_file_options *options, const char *folder, const sow_env *env,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_file_state state;
    char source[65] = "", key[65] = "", *name = NULL, *path = NULL;
    int whole = 0;
    memset(out, 0, sizeof *out);
    if (digest) digest[0] = '\0';
    SOW_TRY(say_cache(sow_make_directories(folder, err), err));
    SOW_TRY(sow_i_cell_source_digest(source, &state, options->path, folder, err));
    SOW_TRY(cache_key(key, source, options, err));
    name = sow_format("%s.cells", key);
    path = name ? sow_path_join(folder, name) : NULL;
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(open_existing(out, &whole, path, key, env, err));
    if (!whole) SOW_TRY(make(out, path, key, options, &state, folder, env, err));
    if (digest) memcpy(digest, source, sizeof source);
done:
    free(name);
    free(path);
    return st;
}
