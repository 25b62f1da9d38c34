/* Text files: whole into memory, gunzipped on the way; lists of names; numbers that do not depend on the locale. */
#include "io/text_internal.h"

#include "core/memory.h"
#include "io/table.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

#define TEXT_LIMIT ((size_t)4 << 30) /* unpacked; a small gzip file that claims more than this is not a table */

/* ---- whole files ---- */

typedef struct {
    unsigned char *bytes;
    size_t size;
    sow_index capacity;
} buffer;

static sow_status buffer_reserve(buffer *b, size_t more, const char *path, sow_error *err)
{
    if (b->size + more > TEXT_LIMIT) return SOW_ERROR(err, SOW_E_DATA, "%s: larger than 4 GiB when unpacked", path);
    if ((sow_index)(b->size + more) <= b->capacity) return SOW_OK;
    sow_index need = (sow_index)(b->size + more);
    sow_index twice = b->capacity * 2;
    return sow_grow(&b->bytes, &b->capacity, need > twice ? need : twice, 1, err);
}

static sow_status read_raw(buffer *b, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    FILE *f = fopen(path, "rb");
    if (!f) SOW_FAIL(err, SOW_E_IO, "%s: cannot open: %s", path, strerror(errno));
    struct stat info;
    if (fstat(fileno(f), &info) == 0) {
        if (S_ISDIR(info.st_mode)) SOW_FAIL(err, SOW_E_IO, "%s: is a folder, not a file", path);
        if (S_ISREG(info.st_mode) && info.st_size > 0) SOW_TRY(buffer_reserve(b, (size_t)info.st_size + 1, path, err));
    }
    for (;;) {
        SOW_TRY(buffer_reserve(b, 65536, path, err));
        size_t got = fread(b->bytes + b->size, 1, (size_t)b->capacity - b->size, f);
        b->size += got;
        if (got == 0) break;
    }
    if (ferror(f)) SOW_FAIL(err, SOW_E_IO, "%s: cannot read: %s", path, strerror(errno));
done:
    if (f) fclose(f);
    return st;
}

/* Members one after another, as bgzip and `cat a.gz b.gz` write them. */
static sow_status gunzip(buffer *out, const buffer *in, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    z_stream z;
    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, 15 + 16) != Z_OK) return SOW_ERROR(err, SOW_E_NOMEM, "%s: out of memory for zlib", path);
    size_t fed = 0;
    for (;;) {
        if (z.avail_in == 0 && fed < in->size) {
            size_t left = in->size - fed;
            z.next_in = in->bytes + fed;
            z.avail_in = (uInt)(left < ((size_t)1 << 30) ? left : ((size_t)1 << 30));
            fed += z.avail_in;
        }
        SOW_TRY(buffer_reserve(out, 65536, path, err));
        size_t room = (size_t)out->capacity - out->size;
        z.next_out = out->bytes + out->size;
        z.avail_out = (uInt)(room < ((size_t)1 << 30) ? room : ((size_t)1 << 30));
        size_t offered = z.avail_out;
        int code = inflate(&z, Z_NO_FLUSH);
        out->size += offered - z.avail_out;
        if (code == Z_STREAM_END) {
            if (z.avail_in == 0 && fed == in->size) break;
            if (inflateReset(&z) != Z_OK) SOW_FAIL(err, SOW_E_DATA, "%s: corrupt gzip file", path);
        } else if (code == Z_MEM_ERROR) {
            SOW_FAIL(err, SOW_E_NOMEM, "%s: out of memory for zlib", path);
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            SOW_FAIL(err, SOW_E_DATA, "%s: corrupt gzip file (%s)", path, z.msg ? z.msg : "bad data");
        } else if (z.avail_in == 0 && fed == in->size && z.avail_out > 0) {
            SOW_FAIL(err, SOW_E_DATA, "%s: truncated gzip file: it ends after %zu bytes without its end mark; copy it again", path,
                     in->size);
        }
    }
done:
    inflateEnd(&z);
    return st;
}

/* Bytes of the UTF-8 character at `s`, 0 when it is none: overlong forms, surrogates and numbers above U+10FFFF are not allowed (RFC 3629). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return n;
}

sow_status sow_i_check_utf8(const char *text, size_t size, const char *path, sow_error *err)
{
    sow_index line = 1;
    for (size_t i = 0, n; i < size; i += n) {
        const unsigned char *s = (const unsigned char *)text + i;
        n = utf8_length(s, size - i);
        if (n == 0)
            return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: not UTF-8 text (byte 0x%02X); save the file as UTF-8", path, (long long)line, (unsigned)*s);
        line += *s == '\n';
    }
    return SOW_OK;
}

sow_status sow_file_read_text(char **out, size_t *size, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    buffer raw = {0}, text = {0};
    *out = NULL;
    *size = 0;
    SOW_TRY(read_raw(&raw, path, err));
    if (raw.size >= 2 && raw.bytes[0] == 0x1f && raw.bytes[1] == 0x8b) {
        SOW_TRY(gunzip(&text, &raw, path, err));
    } else {
        if (sow_i_has_extension(path, ".gz") && raw.size > 0) SOW_FAIL(err, SOW_E_DATA, "%s: is named .gz but is no gzip file", path);
        text = raw;
        memset(&raw, 0, sizeof raw);
    }
    SOW_TRY(buffer_reserve(&text, 1, path, err));
    text.bytes[text.size] = 0;
    *out = (char *)text.bytes;
    *size = text.size;
    text.bytes = NULL;
done:
    free(raw.bytes);
    free(text.bytes);
    return st;
}

/* ---- lists of names ---- */

static char *trim(char *s)
{
    while (*s == ' ' || *s == '\t') s++;
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r')) s[--n] = 0;
    return s;
}

static sow_status add_name(sow_names *names, const char *name, int unique, const char *path, sow_index line, sow_error *err)
{
    if (unique && sow_names_find(names, name) >= 0)
        return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: '%s' comes a second time", path, (long long)line, name);
    return sow_names_add(names, name, NULL, err);
}

static sow_status list_from_lines(sow_names *names, char *text, int unique, const char *path, sow_error *err)
{
    sow_index line = 1;
    for (char *at = text; at; line++) {
        char *end = strchr(at, '\n');
        if (end) *end = 0;
        char *name = trim(at);
        at = end ? end + 1 : NULL;
        if (*name == 0 || *name == '#') continue;
        sow_status st = add_name(names, name, unique, path, line, err);
        if (st != SOW_OK) return st;
    }
    return SOW_OK;
}

static sow_status list_from_table(sow_names *names, int unique, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = NULL;
    SOW_TRY(sow_table_read(&t, path, err));
    for (sow_index i = 0; i < sow_table_n_rows(t); i++) {
        const char *name = sow_table_cell(t, i, 0);
        if (*name && *name != '#') SOW_TRY(add_name(names, name, unique, path, sow_table_line(t, i), err));
    }
done:
    sow_table_destroy(t);
    return st;
}

static sow_status read_list(sow_names **out, const char *path, int unique, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    size_t size = 0;
    sow_names *names = NULL;
    *out = NULL;
    SOW_TRY(sow_file_read_text(&text, &size, path, err));
    SOW_TRY(sow_i_check_utf8(text, size, path, err));
    if (memchr(text, 0, size)) SOW_FAIL(err, SOW_E_DATA, "%s: not a text file (it has a zero byte)", path);
    char *start = text;
    if (size >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) start += 3;
    SOW_TRY(sow_names_create(&names, err));
    size_t first = strcspn(start, "\n");
    if (start[0] != '#' && (memchr(start, '\t', first) || memchr(start, ',', first)))
        SOW_TRY(list_from_table(names, unique, path, err));
    else
        SOW_TRY(list_from_lines(names, start, unique, path, err));
    if (sow_names_count(names) == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no name in it", path);
    *out = names;
    names = NULL;
done:
    sow_names_destroy(names);
    free(text);
    return st;
}

sow_status sow_file_read_list(sow_names **out, const char *path, sow_error *err)
{
    return read_list(out, path, 0, err);
}

sow_status sow_i_read_unique_list(sow_names **out, const char *path, sow_error *err)
{
    return read_list(out, path, 1, err);
}

/* ---- numbers ---- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The text [s, s + n) without blanks at its ends. */
static const char *strip(const char *s, size_t *n)
{
    while (is_blank(*s)) s++;
    *n = strlen(s);
    while (*n > 0 && is_blank(s[*n - 1])) (*n)--;
    return s;
}

static int word_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

static int is_missing_word(const char *s, size_t n)
{
    static const char *const words[] = {"", "NA", "NaN", "N/A", "null", "None", "#N/A"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word_is(s, n, words[i])) return 1;
    return 0;
}

int sow_i_is_missing(const char *text)
{
    size_t n;
    const char *s = strip(text, &n);
    return is_missing_word(s, n);
}

/* strtod knows only the locale's decimal point, so it is given that one. */
static int slow_number(double *out, const char *s, size_t n)
{
    char small[128], *big = NULL, *copy = small;
    const char *point = localeconv()->decimal_point;
    size_t room = n + strlen(point) + 1, at = 0;
    if (room > sizeof small) {
        big = sow_calloc((sow_index)room, 1);
        if (!big) return 0;
        copy = big;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '.') {
            memcpy(copy + at, point, strlen(point));
            at += strlen(point);
        } else {
            copy[at++] = s[i];
        }
    }
    copy[at] = 0;
    char *end = NULL;
    double value = strtod(copy, &end);
    int whole = end == copy + at;
    free(big);
    if (whole) *out = value;
    return whole;
}

/* Decimal digits, one point, an exponent. Up to 15 significant digits and a power of ten that a double holds exactly are one correctly
 * rounded multiplication or division (Clinger 1990); everything else goes to strtod. */
static int decimal_number(double *out, const char *s, size_t n)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = 0;
    int negative = 0, digits = 0, significant = 0, exponent = 0, seen_point = 0;
    uint64_t mantissa = 0;
    if (i < n && (s[i] == '-' || s[i] == '+')) negative = s[i++] == '-';
    for (; i < n && (is_digit(s[i]) || (s[i] == '.' && !seen_point)); i++) {
        if (s[i] == '.') {
            seen_point = 1;
            continue;
        }
        digits++;
        if (seen_point) exponent--;
        if (significant > 0 || s[i] != '0') significant++;
        if (significant <= 15) mantissa = mantissa * 10 + (uint64_t)(s[i] - '0');
    }
    if (digits == 0) return 0;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        int minus = 0, value = 0, any = 0;
        i++;
        if (i < n && (s[i] == '-' || s[i] == '+')) minus = s[i++] == '-';
        for (; i < n && is_digit(s[i]); i++, any = 1)
            if (value < 100000) value = value * 10 + (s[i] - '0');
        if (!any) return 0;
        exponent += minus ? -value : value;
    }
    if (i != n) return 0;
    if (significant > 15 || exponent > 22 || exponent < -22) return slow_number(out, s, n);
    double value = (double)mantissa;
    value = exponent < 0 ? value / power[-exponent] : value * power[exponent];
    *out = negative ? -value : value;
    return 1;
}

int sow_i_parse_number(double *out, const char *text)
{
    size_t n;
    const char *s = strip(text, &n);
    if (n > 0 && (is_digit(*s) || *s == '.' || *s == '-' || *s == '+')) {
        if (decimal_number(out, s, n)) return 1;
    }
    if (is_missing_word(s, n)) {
        *out = NAN;
        return 1;
    }
    int sign = n > 0 && *s == '-' ? -1 : 1;
    if (n > 0 && (*s == '-' || *s == '+')) s++, n--;
    if (word_is(s, n, "inf") || word_is(s, n, "infinity")) {
        *out = sign * (double)INFINITY;
        return 1;
    }
    return 0;
}

/* ---- paths and lists in messages ---- */

const char *sow_i_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int sow_i_has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), e = strlen(extension);
    if (strcasecmp(extension, ".gz") != 0 && n > 3 && strcasecmp(path + n - 3, ".gz") == 0) n -= 3;
    return n > e && strncasecmp(path + n - e, extension, e) == 0;
}

static char *join_names(const char *(*get)(const void *from, sow_index i), const void *from, sow_index n, sow_index most, const char *quote)
{
    sow_index shown = n < most ? n : most;
    size_t size = 64;
    for (sow_index i = 0; i < shown; i++) size += strlen(get(from, i)) + 4;
    char *text = sow_calloc((sow_index)size, 1);
    if (!text) return NULL;
    size_t at = 0;
    for (sow_index i = 0; i < shown; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s%s%s", i ? ", " : "", quote, get(from, i), quote);
    if (n > shown) snprintf(text + at, size - at, "%s... and %lld more", shown ? ", " : "", (long long)(n - shown));
    return text;
}

static const char *from_set(const void *from, sow_index i)
{
    return sow_names_get(from, i);
}

static const char *from_array(const void *from, sow_index i)
{
    return ((const char *const *)from)[i];
}

char *sow_i_quoted_names(const sow_names *names, sow_index most)
{
    return join_names(from_set, names, sow_names_count(names), most, "'");
}

char *sow_i_name_list(const char *const *names, sow_index n, sow_index most)
{
    return join_names(from_array, names, n, most, "");
}
