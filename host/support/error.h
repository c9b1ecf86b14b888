/* The thread's last failure. See systole_last_error(). */
#ifndef SYSTOLE_SUPPORT_ERROR_H
#define SYSTOLE_SUPPORT_ERROR_H

#include "systole/systole.h"

/* Stores the formatted sentence and returns `status`, so that a caller writes
 * `return systole_fail(SYSTOLE_ERR_ARGUMENT, "...", ...)`. */
systole_status systole_fail(systole_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the stored sentence; returns `status`. */
systole_status systole_fail_in(systole_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
