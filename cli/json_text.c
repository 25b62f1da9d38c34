#include "cli/cli.h"

long long cli_json_integer(const json_t *j, const char *key)
{
    return (long long)json_integer_value(json_object_get(j, key));
}

double cli_json_number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

const char *cli_json_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}
