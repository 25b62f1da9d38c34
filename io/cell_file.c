#include "io/cell_file.h"
