#include "core/de.h"
