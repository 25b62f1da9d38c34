#include "io/cell_source.h"
