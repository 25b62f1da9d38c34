/* From a cell file to its mapped matrix: the cache's name, whether what lies there can be used, making it when not. */
#include "io/cell_cache.h"

#include "core/memory.h"
#include "io/cell_cache_internal.h"
#include "io/file.h"
#include "io/file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

/* ---- the digest of a source, taken while it is streamed ---- */

/* Hashing is as slow as all the rest, and the cache needs its name only at the end. */
typedef struct {
    const sow_cell_file_options *options;
    const char *folder;
    const sow_env *env;
    sow_i_file_state before; /* either reading began */
    sow_i_source_digest source;
    char key[65], *path;
    pthread_t thread;
    int has_thread, joined;
    atomic_int stop, finished;
    int looked; /* whether a cache of that name is there */
    sow_status status;
    sow_error error;
} naming;

static void *hash_beside(void *user)
{
    naming *n = user;
    n->status = sow_i_cell_source_digest(&n->source, SOW_I_COMPUTE, n->options->path, n->folder, &n->stop, NULL, &n->error);
    atomic_store(&n->finished, 1);
    return NULL;
}

/* Key and path, once the digest is known. */
static sow_status set_name(naming *n, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    SOW_TRY(cache_key(n->key, n->source.digest, n->options, err));
    name = sow_format("%s.cells", n->key);
    n->path = name ? sow_path_join(n->folder, name) : NULL;
    if (!n->path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(name);
    return st;
}

/* With one thread only, or when the system has no more of them, the digest comes first. */
static sow_status start_naming(naming *n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_source_digest *s = &n->source;
    SOW_TRY(sow_i_cell_source_digest(s, SOW_I_RECALL, n->options->path, n->folder, NULL, n->env, err));
    n->before = s->state;
    if (!s->digest[0] && sow_threads_count(sow_env_threads(n->env)) > 1) n->has_thread = pthread_create(&n->thread, NULL, hash_beside, n) == 0;
    if (n->has_thread) goto done;
    if (!s->digest[0]) SOW_TRY(sow_i_cell_source_digest(s, SOW_I_COMPUTE, n->options->path, n->folder, NULL, n->env, err));
    SOW_TRY(set_name(n, err));
done:
    return st;
}

static sow_status finish_naming(naming *n, sow_error *err)
{
    if (n->path) return SOW_OK;
    if (!n->joined) pthread_join(n->thread, NULL);
    n->joined = 1;
    if (n->status != SOW_OK && err) *err = n->error;
    return n->status != SOW_OK ? n->status : set_name(n, err);
}

static void clear_naming(naming *n)
{
    atomic_store(&n->stop, 1);
    if (n->has_thread && !n->joined) pthread_join(n->thread, NULL);
    free(n->path);
}

static int unneeded(void *user)
{
    naming *n = user;
    if (!n->has_thread || n->looked || !atomic_load(&n->finished)) return 0;
    n->looked = 1;
    return finish_naming(n, NULL) == SOW_OK && sow_file_exists(n->path); /* a failure is told by wait */
}

/* What was streamed and what was hashed are the same only if the source stayed as it was from before either began. */
static sow_status check_unchanged(const naming *n, sow_error *err)
{
    sow_i_source_digest now;
    sow_status st = sow_i_cell_source_digest(&now, SOW_I_STATE_ONLY, n->options->path, n->folder, NULL, n->env, err);
    if (st != SOW_OK) return st;
    if (sow_i_file_state_same(&n->before, &now.state) && sow_i_file_state_same(&n->source.state, &now.state)) return SOW_OK;
    return SOW_ERROR(err, SOW_E_IO, "%s: it changed while it was read; run the same command again", n->options->path);
}

static sow_status wait_for_name(void *user, const char **path, const char **key, sow_error *err)
{
    sow_status st = SOW_OK;
    naming *n = user;
    SOW_TRY(finish_naming(n, err));
    SOW_TRY(check_unchanged(n, err));
    *path = n->path;
    *key = n->key;
done:
    return st;
}

/* ---- opening ---- */

/* `out` stays empty when a cache turned out to be there. */
static sow_status make(sow_cell_matrix *out, naming *n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *file = NULL;
    const sow_i_cache_name name = {n, unneeded, wait_for_name};
    const char *why = NULL;
    int fd = -1, whole = 0;
    sow_i_cache_sweep(n->folder);
    SOW_TRY(sow_cell_file_open(&file, n->options, n->env, err));
    SOW_TRY(say_cache(sow_i_cache_write(&fd, n->folder, &name, file, n->env, err), err));
    if (fd < 0) goto done;
    SOW_TRY(sow_i_cache_map(out, &whole, &why, fd, 0, n->path, n->key, n->env, err));
    if (!whole) SOW_FAIL(err, SOW_E_IO, "%s: it was altered while it was written (%s); run the same command again", n->path, why);
    sow_log(n->env, SOW_LOG_INFO, "%s: %lld cells x %lld genes, %lld values (%s), kept in %s", n->options->path, (long long)out->n_cells,
            (long long)out->n_genes, (long long)out->start[out->n_cells], sow_cell_file_layout(file), n->path);
done:
    if (fd >= 0) close(fd);
    sow_cell_file_close(file);
    return st;
}

sow_status sow_cell_matrix_open(sow_cell_matrix *out, char digest[65], const sow_cell_file_options *options, const char *folder, const sow_env *env,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    naming n = {.options = options, .folder = folder, .env = env};
    int whole = 0;
    memset(out, 0, sizeof *out);
    if (digest) digest[0] = '\0';
    if (!folder) return sow_i_cell_matrix_load(out, options, env, err);
    SOW_TRY(say_cache(sow_make_directories(folder, err), err));
    SOW_TRY(start_naming(&n, err));
    while (!whole) {
        if (n.path) SOW_TRY(open_existing(out, &whole, n.path, n.key, env, err));
        if (whole) break;
        SOW_TRY(make(out, &n, err));
        whole = out->genes != NULL;
    }
    if (digest) memcpy(digest, n.source.digest, sizeof n.source.digest);
done:
    clear_naming(&n);
    return st;
}
