#include "core/consistency.h"
