#include "core/mmd.h"
