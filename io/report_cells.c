#include "io/report.h"
