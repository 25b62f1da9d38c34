#include "io/cell_cache.h"

#include "cells_fixture.h"
#include "faults.h"
#include "io/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

TestSuite(cell_cache, .init = scratch_create, .fini = scratch_remove);

enum { CELLS = 500, GENES = 60 };

static sow_error err;
static char log_text[4096];
static int log_warnings;

static void keep_log(void *user, sow_log_level level, const char *message)
{
    (void)user;
    log_warnings += level == SOW_LOG_WARN;
    strncat(log_text, message, sizeof log_text - strlen(log_text) - 1);
}

static const sow_env listening = {.log = keep_log};

/* With two threads the digest is taken while the file is streamed. */
static sow_env two_threads(void)
{
    sow_env env = {.log = keep_log};
    cr_assert_eq(sow_threads_create(&env.threads, 2, &err), SOW_OK);
    return env;
}

static const char *make_source(void)
{
    char *obs = fixture_many(CELLS);
    const char *path = fixture_h5ad("s.h5ad", obs, "G", GENES, 0);
    free(obs);
    return path;
}

static sow_status open_in(sow_cell_matrix *m, const char *folder, const sow_env *env)
{
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad"), .counts = 1};
    log_text[0] = '\0';
    log_warnings = 0;
    return sow_cell_matrix_open(m, NULL, &o, scratch_path(folder), env, &err);
}

static void check_matrix(const sow_cell_matrix *m)
{
    cr_assert_eq(m->n_cells, CELLS);
    cr_assert_eq(m->n_genes, GENES);
    cr_assert_eq(sow_names_count(m->genes), GENES);
    cr_assert_str_eq(sow_names_get(m->genes, 41), "G41");
    for (sow_index i = 0; i < CELLS; i++) {
        int64_t at = m->start[i];
        for (int32_t j = 0; j < GENES; j++) {
            if (fixture_count(i, j) == 0) continue;
            cr_assert_eq(m->gene[at], j);
            cr_assert_eq(m->value[at++], fixture_count(i, j));
        }
        cr_assert_eq(at, m->start[i + 1]);
    }
}

static void opens_well(const char *folder, const sow_env *env)
{
    sow_cell_matrix m;
    cr_assert_eq(open_in(&m, folder, env), SOW_OK, "%s", err.message);
    check_matrix(&m);
    sow_cell_matrix_clear(&m);
}

/* How many files of the folder have this in their name; the last of them. */
static int count_files(const char *folder, const char *part, char last[512])
{
    int n = 0;
    DIR *d = opendir(scratch_path(folder));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, part)) continue;
        if (last) snprintf(last, 512, "%s/%s", scratch_path(folder), e->d_name);
        n++;
    }
    if (d) closedir(d);
    return n;
}

static char *bytes_of(const char *path, long *size)
{
    FILE *f = fopen(path, "rb");
    cr_assert(f);
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    char *bytes = malloc((size_t)*size + 1);
    cr_assert_eq(fread(bytes, 1, (size_t)*size, f), (size_t)*size);
    fclose(f);
    return bytes;
}

static void write_bytes(const char *path, const char *bytes, long size)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    cr_assert_eq(fwrite(bytes, 1, (size_t)size, f), (size_t)size);
    cr_assert_eq(fclose(f), 0);
}

/* ---- what is kept ---- */

Test(cell_cache, keeps_the_matrix_and_opens_it_again_without_the_source_being_streamed)
{
    make_source();
    opens_well("c", &listening);
    cr_assert(strstr(log_text, "500 cells x 60 genes"), "%s", log_text);
    cr_assert(strstr(log_text, "CSR"), "%s", log_text);
    cr_assert_eq(count_files("c", ".cells", NULL), 1);
    opens_well("c", &listening);
    cr_assert_str_eq(log_text, "");
}

Test(cell_cache, without_a_folder_is_memory)
{
    sow_cell_matrix m;
    char digest[65] = "x";
    const sow_cell_file_options o = {.path = make_source(), .counts = 1, .memory = 1 << 20};
    sow_env two = two_threads();
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(sow_cell_matrix_open(&m, digest, &o, NULL, k ? &two : NULL, &err), SOW_OK, "%s", err.message);
        check_matrix(&m);
        cr_assert_str_eq(digest, "");
        sow_cell_matrix_clear(&m);
    }
    for (int n = 0; n < 400; n++) { /* a failure at every allocation */
        sow_memory_fail_after(n);
        sow_status st = sow_cell_matrix_open(&m, NULL, &o, NULL, NULL, &err);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) {
            check_matrix(&m);
            sow_cell_matrix_clear(&m);
            break;
        }
        cr_assert_eq(st, SOW_E_NOMEM);
    }
    sow_threads_destroy(two.threads);
}

Test(cell_cache, has_the_same_bytes_for_one_and_two_threads)
{
    sow_env env = two_threads();
    char one[512], two[512];
    long n1 = 0, n2 = 0;
    char *obs = fixture_many(9000); /* more entries than one task takes */
    fixture_h5ad("s.h5ad", obs, "G", GENES, 0);
    sow_cell_matrix m;
    cr_assert_eq(open_in(&m, "one", NULL), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(open_in(&m, "two", &env), SOW_OK, "%s", err.message);
    cr_assert_gt(m.start[m.n_cells], 2 * 65536);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(open_in(&m, "one", &env), SOW_OK, "the other's checksum: %s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(count_files("one", ".cells", one), 1);
    cr_assert_eq(count_files("two", ".cells", two), 1);
    char *a = bytes_of(one, &n1), *b = bytes_of(two, &n2);
    cr_assert_eq(n1, n2);
    cr_assert_eq(memcmp(a, b, (size_t)n1), 0);
    cr_assert_str_eq(strrchr(one, '/'), strrchr(two, '/'));
    free(a);
    free(b);
    free(obs);
    sow_threads_destroy(env.threads);
}

static void write_dense(const char *path, const double *x, sow_index rows, sow_index columns)
{
    sow_h5ad a = {.n_obs = rows, .n_vars = columns, .x = (double *)(uintptr_t)x, .x_is_dense = 1};
    a.obs_names = calloc((size_t)rows, sizeof(char *));
    a.var_names = calloc((size_t)columns, sizeof(char *));
    for (sow_index i = 0; i < rows; i++) a.obs_names[i] = sow_format("c%lld", (long long)i);
    for (sow_index j = 0; j < columns; j++) a.var_names[j] = sow_format("G%lld", (long long)j);
    cr_assert_eq(sow_h5ad_write(path, &a, 1, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < rows; i++) free(a.obs_names[i]);
    for (sow_index j = 0; j < columns; j++) free(a.var_names[j]);
    free(a.obs_names);
    free(a.var_names);
}

Test(cell_cache, of_a_dense_file_is_as_long_as_what_it_holds)
{
    enum { ROWS = 400, COLUMNS = 900 };
    double *x = calloc((size_t)ROWS * COLUMNS, sizeof *x);
    for (sow_index i = 0; i < ROWS; i++) x[i * COLUMNS + i] = x[i * COLUMNS + 500 + i] = (double)i; /* row 0 is empty */
    write_dense(scratch_path("s.h5ad"), x, ROWS, COLUMNS);
    for (int round = 0; round < 2; round++) {
        sow_cell_matrix m;
        cr_assert_eq(open_in(&m, "c", NULL), SOW_OK, "%s", err.message);
        cr_assert_eq(m.start[ROWS], 2 * (ROWS - 1));
        cr_assert_eq(m.start[1], 0);
        cr_assert_eq(m.gene[2 * 310 - 1], 810);
        cr_assert_eq(m.value[2 * 310 - 1], 310);
        sow_cell_matrix_clear(&m);
    }
    char path[512];
    struct stat s;
    count_files("c", ".cells", path);
    stat(path, &s);
    cr_assert_lt(s.st_size, 50000, "%lld bytes for 798 values", (long long)s.st_size);
    free(x);
}

Test(cell_cache, holds_a_matrix_of_zeros)
{
    double x[12] = {0};
    write_dense(scratch_path("s.h5ad"), x, 4, 3);
    for (int round = 0; round < 2; round++) {
        sow_cell_matrix m;
        cr_assert_eq(open_in(&m, "c", NULL), SOW_OK, "%s", err.message);
        cr_assert_eq(m.n_cells, 4);
        cr_assert_eq(m.start[4], 0);
        sow_cell_matrix_clear(&m);
    }
}

Test(cell_cache, is_named_by_the_data_and_the_settings)
{
    sow_cell_matrix m;
    char digest[65], file_digest[65], other[65];
    const sow_cell_file_options counts = {.path = make_source(), .counts = 1}, log = {.path = scratch_path("s.h5ad")},
                                x = {.path = scratch_path("s.h5ad"), .layer = "X", .counts = 1};
    cr_assert_eq(sow_cell_matrix_open(&m, digest, &counts, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(sow_file_sha256(file_digest, counts.path, &err), SOW_OK);
    cr_assert_str_eq(digest, file_digest);
    cr_assert_eq(sow_cell_matrix_open(&m, digest, &log, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(count_files("c", ".cells", NULL), 2, "declared counts are checked");
    cr_assert_eq(sow_cell_matrix_open(&m, digest, &x, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(count_files("c", ".cells", NULL), 2, "X is the default layer");
    char *obs = fixture_many(CELLS);
    fixture_h5ad("s.h5ad", obs, "G", GENES, 1);
    cr_assert_eq(sow_cell_matrix_open(&m, other, &counts, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(m.value[0], 1 + (1 + 3 * 1) % 9);
    sow_cell_matrix_clear(&m);
    cr_assert_str_neq(other, digest);
    cr_assert_eq(count_files("c", ".cells", NULL), 3);
    free(obs);
}

Test(cell_cache, of_a_folder_depends_on_each_of_its_files)
{
    sow_cell_matrix m;
    char one[65], two[65], three[65];
    mkdir(scratch_path("tenx"), 0777);
    scratch_write("tenx/matrix.mtx", "%%MatrixMarket matrix coordinate integer general\n2 3 3\n1 1 4\n2 1 5\n1 3 6\n");
    scratch_write("tenx/barcodes.tsv", "AA-1\nBB-1\nCC-1\n");
    scratch_write("tenx/features.tsv", "E1\tTP53\tGene Expression\nE2\tMYC\tGene Expression\n");
    const sow_cell_file_options o = {.path = scratch_path("tenx"), .counts = 1};
    cr_assert_eq(sow_cell_matrix_open(&m, one, &o, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(m.n_cells, 3);
    cr_assert_eq(m.value[2], 6);
    cr_assert_str_eq(sow_names_get(m.genes, 1), "MYC");
    sow_cell_matrix_clear(&m);
    scratch_write("tenx/features.tsv", "E1\tTP63\tGene Expression\nE2\tMYC\tGene Expression\n");
    cr_assert_eq(sow_cell_matrix_open(&m, two, &o, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(sow_names_get(m.genes, 0), "TP63");
    sow_cell_matrix_clear(&m);
    scratch_write("tenx/notes.txt", "not a part of it");
    cr_assert_eq(sow_cell_matrix_open(&m, three, &o, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_str_neq(one, two);
    cr_assert_str_eq(two, three);
}

/* ---- damage ---- */

/* Parts begin at whole pages; what lies between them means nothing. */
static int is_padding(long at)
{
    long values = 0, gene = 4096 + (8 * (CELLS + 1) + 4095) / 4096 * 4096, value;
    for (sow_index i = 0; i < CELLS; i++)
        for (sow_index j = 0; j < GENES; j++) values += fixture_count(i, j) != 0;
    value = gene + (4 * values + 4095) / 4096 * 4096;
    return (at >= 4096 + 8 * (CELLS + 1) && at < gene) || (at >= gene + 4 * values && at < value) || (at >= value + 4 * values && at < value + 4 * values + 4096);
}

Test(cell_cache, with_any_byte_altered_is_said_and_made_again)
{
    char path[512];
    long size = 0, again = 0;
    make_source();
    opens_well("c", NULL);
    count_files("c", ".cells", path);
    char *good = bytes_of(path, &size);
    long bytes[200], n = 0;
    for (long at = 0; at < 160; at += 4) bytes[n++] = at; /* the header */
    for (long at = 4096; at < size - 16; at += size / 100)
        if (!is_padding(at)) bytes[n++] = at;
    for (long k = 1; k <= 16; k++) bytes[n++] = size - k; /* names and checksum */
    for (long k = 0; k < n; k++) {
        char kept = good[bytes[k]];
        good[bytes[k]] = (char)(kept ^ 0x10);
        write_bytes(path, good, size);
        good[bytes[k]] = kept;
        sow_cell_matrix m;
        cr_assert_eq(open_in(&m, "c", &listening), SOW_OK, "byte %ld: %s", bytes[k], err.message);
        check_matrix(&m);
        sow_cell_matrix_clear(&m);
        char *now = bytes_of(path, &again);
        cr_assert_eq(again, size);
        cr_assert_eq(memcmp(good, now, (size_t)size), 0, "byte %ld", bytes[k]);
        free(now);
        cr_assert_eq(log_warnings, 1, "byte %ld: %s", bytes[k], log_text);
        cr_assert(strstr(log_text, "cannot be used"), "%s", log_text);
    }
    free(good);
}

Test(cell_cache, cut_off_or_grown_is_made_again)
{
    char path[512];
    long size = 0;
    make_source();
    opens_well("c", NULL);
    count_files("c", ".cells", path);
    char *good = bytes_of(path, &size);
    good = realloc(good, (size_t)size + 8);
    memset(good + size, 0, 8);
    const long cuts[] = {0, 1, 100, 4096, 4104, size / 2, size - 8, size - 1, size + 8};
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        write_bytes(path, good, cuts[k]);
        opens_well("c", &listening);
        cr_assert_eq(log_warnings, 1, "%ld: %s", cuts[k], log_text);
    }
    free(good);
}

Test(cell_cache, copied_to_the_name_of_another_is_not_taken_for_it)
{
    char path[512], other[512];
    long size = 0;
    make_source();
    opens_well("c", NULL);
    count_files("c", ".cells", path);
    char *good = bytes_of(path, &size), *obs = fixture_many(CELLS);
    fixture_h5ad("s.h5ad", obs, "G", GENES, 1);
    sow_cell_matrix m;
    cr_assert_eq(open_in(&m, "d", NULL), SOW_OK);
    sow_cell_matrix_clear(&m);
    count_files("d", ".cells", other);
    write_bytes(other, good, size);
    cr_assert_eq(open_in(&m, "d", &listening), SOW_OK);
    cr_assert(strstr(log_text, "it belongs to other data"), "%s", log_text);
    cr_assert_eq(m.value[0], 5);
    sow_cell_matrix_clear(&m);
    free(good);
    free(obs);
}

/* ---- remembered digests ---- */

/* A note as the program writes it, with this digest, as if written long after the file's last change. */
static void write_note(const char *folder, const char *digest, int64_t size_added)
{
    char real[1024], hex[65], own[65], line[600], name[512];
    struct stat s;
    cr_assert(realpath(scratch_path("s.h5ad"), real));
    cr_assert_eq(stat(real, &s), 0);
    sow_sha256(hex, real, strlen(real));
    snprintf(name, sizeof name, "%s/%s.sum", scratch_path(folder), hex);
    int n = snprintf(line, sizeof line, "sower-sum 1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ".%09ld %" PRId64 ".%09ld %" PRId64 " %s ",
                     (int64_t)s.st_size + size_added, (int64_t)s.st_dev, (int64_t)s.st_ino, (int64_t)s.st_mtim.tv_sec, s.st_mtim.tv_nsec,
                     (int64_t)s.st_ctim.tv_sec, s.st_ctim.tv_nsec, (int64_t)s.st_ctim.tv_sec + 1000, digest);
    sow_sha256(own, line, (size_t)n);
    snprintf(line + n, sizeof line - (size_t)n, "%s\n", own);
    FILE *f = fopen(name, "w");
    cr_assert(f);
    fputs(line, f);
    fclose(f);
}

static void digest_is(const char *expected, const char *why)
{
    sow_cell_matrix m;
    char digest[65];
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad"), .counts = 1};
    cr_assert_eq(sow_cell_matrix_open(&m, digest, &o, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_str_eq(digest, expected, "%s", why);
}

Test(cell_cache, trusts_a_remembered_digest_only_when_everything_agrees)
{
    char own[65], noted[65], path[512];
    long size = 0;
    memset(noted, 'e', 64);
    noted[64] = '\0';
    make_source();
    opens_well("c", NULL);
    cr_assert_eq(sow_file_sha256(own, scratch_path("s.h5ad"), &err), SOW_OK);
    cr_assert_eq(count_files("c", ".sum", path), 1);
    write_note("c", noted, 0);
    digest_is(noted, "a note that agrees");
    char *note = bytes_of(path, &size);
    note[size - 5] = note[size - 5] == 'a' ? 'b' : 'a';
    write_bytes(path, note, size);
    digest_is(own, "an altered note");
    write_note("c", noted, 0);
    cr_assert_eq(truncate(path, size / 2), 0);
    digest_is(own, "a torn note");
    write_note("c", noted, 1);
    digest_is(own, "a file of another size");
    write_note("c", noted, 0);
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    cr_assert_eq(utimensat(AT_FDCWD, scratch_path("s.h5ad"), times, 0), 0);
    digest_is(own, "a file of another time");
    cr_assert_eq(count_files("c", ".sum", NULL), 1);
    free(note);
}

Test(cell_cache, does_not_trust_what_was_noted_in_the_moment_of_the_last_change)
{
    char other[65];
    make_source();
    opens_well("c", NULL);
    FILE *f = fopen(scratch_path("s.h5ad"), "ab"); /* HDF5 does not look behind its end */
    fputc('x', f);
    fclose(f);
    truncate(scratch_path("s.h5ad"), 0) == 0 ? (void)make_source() : abort();
    cr_assert_eq(sow_file_sha256(other, scratch_path("s.h5ad"), &err), SOW_OK);
    digest_is(other, "hashed again");
}

/* ---- several at once, and kills ---- */

static int opens_in_child(const sow_env *env)
{
    sow_cell_matrix m;
    if (open_in(&m, "c", env) != SOW_OK) return 1;
    int good = m.n_cells == CELLS && m.start[CELLS] > 0;
    sow_cell_matrix_clear(&m);
    return good ? 0 : 2;
}

static int child_opens(void)
{
    return opens_in_child(NULL);
}

static int child_opens_with_threads(void)
{
    sow_env env = two_threads();
    int code = opens_in_child(&env);
    sow_threads_destroy(env.threads);
    return code;
}

Test(cell_cache, is_made_by_many_processes_at_once)
{
    enum { CHILDREN = 8 };
    pid_t child[CHILDREN];
    make_source();
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i] == 0) _exit(i % 2 ? child_opens_with_threads() : child_opens());
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        waitpid(child[i], &status, 0);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: %d", i, status);
    }
    cr_assert_eq(scratch_count_entries(scratch_path("c")), 2, "one cache, one note");
    opens_well("c", &listening);
    cr_assert_str_eq(log_text, "");
}

static int die(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    raise(SIGKILL);
    return 0;
}

static int child_dies(void)
{
    const sow_env env = {.progress = die};
    sow_cell_matrix m;
    return open_in(&m, "c", &env);
}

static int child_dies_with_threads(void)
{
    sow_env env = two_threads();
    sow_cell_matrix m;
    env.progress = die;
    return open_in(&m, "c", &env);
}

Test(cell_cache, survives_a_kill_in_the_middle_and_removes_what_it_left)
{
    make_source();
    cr_assert_eq(scratch_in_child(child_dies), 256 + SIGKILL);
    cr_assert_eq(count_files("c", ".cells.making-", NULL), 1);
    cr_assert_eq(scratch_in_child(child_dies_with_threads), 256 + SIGKILL);
    cr_assert_eq(count_files("c", ".cells.making-", NULL), 1, "the second removed what the first left");
    opens_well("c", NULL);
    cr_assert_eq(count_files("c", ".making-", NULL), 0);
    cr_assert_eq(count_files("c", ".cells", NULL), 1);
}

static int nested;

static int open_another(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    if (nested++) return 0;
    sow_cell_matrix m;
    cr_assert_eq(count_files("c", ".making-", NULL), 1);
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad")};
    cr_assert_eq(sow_cell_matrix_open(&m, NULL, &o, scratch_path("c"), NULL, &err), SOW_OK, "%s", err.message);
    sow_cell_matrix_clear(&m);
    cr_assert_eq(count_files("c", ".making-", NULL), 1);
    return 0;
}

Test(cell_cache, leaves_alone_what_a_living_writer_is_making)
{
    const sow_env env = {.progress = open_another};
    make_source();
    opens_well("c", &env);
    cr_assert_geq(nested, 1);
    cr_assert_eq(count_files("c", ".cells", NULL), 2);
    cr_assert_eq(count_files("c", ".making-", NULL), 0);
}

static int stop(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    return fraction > 0;
}

Test(cell_cache, leaves_nothing_behind_when_interrupted)
{
    for (int threads = 1; threads <= 2; threads++) {
        sow_env env = threads == 2 ? two_threads() : (sow_env){0};
        sow_cell_matrix m;
        env.progress = stop;
        make_source();
        cr_assert_eq(open_in(&m, "c", &env), SOW_E_CANCELLED);
        cr_assert_null(m.genes);
        cr_assert_eq(count_files("c", ".cells", NULL), 0);
        sow_threads_destroy(env.threads);
    }
}

static int touch_source(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    FILE *f = fopen(scratch_path("s.h5ad"), "ab");
    fputc('x', f);
    fclose(f);
    return 0;
}

Test(cell_cache, is_not_kept_when_the_source_changes_while_it_is_read)
{
    for (int threads = 1; threads <= 2; threads++) {
        sow_env env = threads == 2 ? two_threads() : (sow_env){0};
        sow_cell_matrix m;
        env.progress = touch_source;
        make_source();
        cr_assert_eq(open_in(&m, "c", &env), SOW_E_IO);
        cr_assert(strstr(err.message, "s.h5ad: it changed while it was read"), "%s", err.message);
        cr_assert_eq(count_files("c", ".cells", NULL), 0);
        sow_threads_destroy(env.threads);
    }
}

Test(cell_cache, that_is_there_is_used_when_its_name_becomes_known_late)
{
    struct stat before, after;
    char path[512];
    sow_env env = two_threads();
    char *obs = fixture_many(9000);
    fixture_h5ad("s.h5ad", obs, "G", GENES, 0);
    sow_cell_matrix m;
    for (int round = 0; round < 3; round++) { /* the note is not trusted: the source was made a moment ago */
        cr_assert_eq(open_in(&m, "c", &env), SOW_OK, "%s", err.message);
        cr_assert_eq(m.n_cells, 9000);
        cr_assert_eq(m.value[m.start[8999]], fixture_count(8999, m.gene[m.start[8999]]));
        sow_cell_matrix_clear(&m);
        cr_assert_eq(count_files("c", ".cells", path), 1);
        stat(path, round ? &after : &before);
        cr_assert_eq(round ? after.st_size : before.st_size, before.st_size);
    }
    sow_threads_destroy(env.threads);
    free(obs);
}

/* ---- where it cannot be ---- */

static int child_without_rights(void)
{
    sow_cell_matrix m;
    if (!scratch_be_nobody()) return SCRATCH_SKIP;
    if (open_in(&m, "c", NULL) != SOW_E_IO) return 1;
    if (!strstr(err.message, "/c") || !strstr(err.message, "Permission denied") || !strstr(err.message, "(--cache)")) return 2;
    return 0;
}

Test(cell_cache, says_that_the_folder_cannot_be_written)
{
    make_source();
    chmod(scratch, 0755);
    chmod(scratch_path("s.h5ad"), 0644);
    int code = scratch_in_child(child_without_rights);
    if (code != SCRATCH_SKIP) cr_assert_eq(code, 0, "the folder cannot be made");
    mkdir(scratch_path("c"), 0555);
    code = scratch_in_child(child_without_rights);
    if (code != SCRATCH_SKIP) cr_assert_eq(code, 0, "the folder is there");
}

static int child_reads_only(void)
{
    return scratch_be_nobody() ? child_opens() : SCRATCH_SKIP;
}

Test(cell_cache, that_is_there_can_be_used_from_a_folder_that_cannot_be_written)
{
    make_source();
    opens_well("c", NULL);
    chmod(scratch, 0755);
    chmod(scratch_path("s.h5ad"), 0644);
    chmod(scratch_path("c"), 0555);
    int code = scratch_in_child(child_reads_only);
    chmod(scratch_path("c"), 0755);
    if (code != SCRATCH_SKIP) cr_assert_eq(code, 0);
}

Test(cell_cache, refuses_a_file_as_its_folder)
{
    sow_cell_matrix m;
    make_source();
    scratch_write("c", "");
    cr_assert_eq(open_in(&m, "c", NULL), SOW_E_IO);
    cr_assert(strstr(err.message, "a file with that name is there"), "%s", err.message);
}

static int child_with_a_full_disk(void)
{
    sow_cell_matrix m;
    scratch_limit_file_size(20000);
    if (open_in(&m, "c", NULL) != SOW_E_IO) return 1;
    if (!strstr(err.message, "cannot write the cache in '") || !strstr(err.message, "/c'")) return 2;
    if (count_files("c", ".cells", NULL) != 0) return 3;
    return 0;
}

Test(cell_cache, leaves_nothing_behind_on_a_full_disk)
{
    make_source();
    cr_assert_eq(scratch_in_child(child_with_a_full_disk), 0);
    opens_well("c", NULL);
}

/* ---- bad sources ---- */

Test(cell_cache, of_a_bad_source_is_an_error_that_names_it_and_leaves_nothing)
{
    sow_cell_matrix m;
    cr_assert_eq(open_in(&m, "c", NULL), SOW_E_IO);
    cr_assert(strstr(err.message, "s.h5ad"), "%s", err.message);
    scratch_write("s.h5ad", "gene,y\nA,1\n");
    cr_assert_eq(open_in(&m, "c", NULL), SOW_E_DATA);
    cr_assert(strstr(err.message, "s.h5ad"), "%s", err.message);
    double x[6] = {1, 2, 3, 4, 5.5, 6};
    write_dense(scratch_path("s.h5ad"), x, 2, 3);
    cr_assert_eq(open_in(&m, "c", NULL), SOW_E_DATA, "a fraction among counts");
    cr_assert_eq(count_files("c", ".cells", NULL), 0);
    cr_assert_null(m.genes);
}

/* ---- faults ---- */

static sow_status make_once(sow_error *e)
{
    sow_cell_matrix m;
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad"), .counts = 1};
    sow_status st = sow_cell_matrix_open(&m, NULL, &o, scratch_path("c"), NULL, e);
    if (st == SOW_OK) {
        char path[512];
        count_files("c", ".cells", path);
        unlink(path);
    } else {
        cr_assert_eq(count_files("c", ".making-", NULL), 0);
        cr_assert_eq(count_files("c", ".cells", NULL), 0);
    }
    sow_cell_matrix_clear(&m);
    return st;
}

static sow_env fault_env;

static sow_status make_with_threads(sow_error *e)
{
    sow_cell_matrix m;
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad"), .counts = 1};
    sow_status st = sow_cell_matrix_open(&m, NULL, &o, scratch_path("c"), &fault_env, e);
    cr_assert_eq(count_files("c", ".making-", NULL), 0);
    if (st == SOW_OK) scratch_remove_tree(scratch_path("c"));
    sow_cell_matrix_clear(&m);
    return st;
}

static sow_status open_once(sow_error *e)
{
    sow_cell_matrix m;
    const sow_cell_file_options o = {.path = scratch_path("s.h5ad"), .counts = 1};
    sow_status st = sow_cell_matrix_open(&m, NULL, &o, scratch_path("c"), NULL, e);
    sow_cell_matrix_clear(&m);
    return st;
}

Test(cell_cache, survives_a_failure_at_every_allocation)
{
    fixture_h5ad("s.h5ad", "gene\nNT\nA\nB\n", "G", 5, 0);
    every_allocation_may_fail(make_once, 1);
    cr_assert_eq(open_once(&err), SOW_OK);
    every_allocation_may_fail(open_once, 1);
    fault_env = two_threads();
    every_allocation_may_fail(make_with_threads, 1);
    sow_threads_destroy(fault_env.threads);
}
