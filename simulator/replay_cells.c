#include "simulator/oracle.h"
