#include "models/cells.h"
