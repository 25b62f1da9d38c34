#include "io/cell_cache.h"
