#include "io/cell_file_internal.h"
sow_status sow_i_cell_open_mtx(sow_cell_file *f, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "%s: MatrixMarket folders are not read yet", f->path);
}
