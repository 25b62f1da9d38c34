#include "core/prepare.h"
