#include "models/evaluate_cells.h"
