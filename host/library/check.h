/* Arguments of public calls are checked here, once; below, they are taken as right. */
#ifndef SYSTOLE_LIBRARY_CHECK_H
#define SYSTOLE_LIBRARY_CHECK_H

#include "systole/systole.h"

/* Each returns SYSTOLE_OK, or SYSTOLE_ERR_ARGUMENT with a sentence. */
systole_status systole_check_options(const systole_device_options *options);

/* Matrix `name` of rows x columns with leading dimension `ld` (called `ld_name`),
 * elements of `element` bytes. `data` may be NULL when it has no element. */
systole_status systole_check_matrix(const char *name, const void *data, int64_t rows,
                                    int64_t columns, const char *ld_name, int64_t ld,
                                    int element);

/* `value` >= 0. */
systole_status systole_check_size(const char *name, int64_t value);

/* M N K fits into 63 bits. */
systole_status systole_check_product(int64_t m, int64_t n, int64_t k);

/* NULL is fine. */
systole_status systole_check_epilogue(const systole_epilogue *epilogue, int64_t n);

#endif
