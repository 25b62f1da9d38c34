/* json_get FILE PATH: the value at a dotted path of a JSON file ("rounds.0.cost"); "#" counts a list or object. FILE - is stdin.
 * Exit 1 when the file is not JSON or there is no such value. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *step(const json_t *at, const char *name)
{
    return json_is_array(at) ? json_array_get(at, (size_t)strtoul(name, NULL, 10)) : json_object_get(at, name);
}

static void print(const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12) | JSON_SORT_KEYS);
    if (json_is_string(value)) puts(json_string_value(value));
    else puts(text ? text : "");
    free(text);
}

int main(int argc, char **argv)
{
    json_error_t error;
    int code = 1;
    if (argc != 3) return 2;
    json_t *root = strcmp(argv[1], "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error) : json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, error.text);
        return 1;
    }
    const json_t *at = root;
    for (char *name = strtok(argv[2], "."); name && at; name = strtok(NULL, ".")) {
        if (strcmp(name, "#") == 0) {
            printf("%zu\n", json_is_array(at) ? json_array_size(at) : json_object_size(at));
            code = 0;
            goto done;
        }
        at = step(at, name);
    }
    if (at) print(at);
    code = at ? 0 : 1;
done:
    json_decref(root);
    return code;
}
