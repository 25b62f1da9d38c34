#include "core/cells.h"
