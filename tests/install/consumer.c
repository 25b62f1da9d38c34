/* A stranger's program against the installed library: one call into each of two folders. */
#include <stdio.h>

#include "acquisition/strategy.h"
#include "core/version.h"

int main(void)
{
    sow_index n = 0;
    sow_strategies(&n);
    printf("sower %s knows %lld strategies\n", sow_version(), (long long)n);
    return n > 0 ? 0 : 1;
}
