#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cmd_fit(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    char *learned = NULL, *file = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_WRITE, env, &code);
    if (!config) return code;
    const sow_status st = sow_campaign_fit(&learned, &file, campaign, env, &err);
    if (st == SOW_OK && args->json) {
        json_t *said = json_pack("{s:s,s:s?}", "learned", learned, "file", file);
        json_dumpf(said, stdout, JSON_SORT_KEYS);
        putchar('\n');
        json_decref(said);
    } else if (st == SOW_OK) {
        printf("%s%s", learned, learned[0] && learned[strlen(learned) - 1] != '\n' ? "\n" : "");
        if (file) puts(file);
    }
    free(learned);
    free(file);
    code = cli_close(config, campaign, st, &err, code);
    return st == SOW_E_STATE ? EXIT_WAITING : code; /* nothing is measured yet */
}
