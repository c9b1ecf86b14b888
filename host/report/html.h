/* report.html: one file that needs nothing else. Figures are inside it; it follows the
 * reader's light or dark setting, fits a phone, and prints. */
#ifndef SYSTOLE_REPORT_HTML_H
#define SYSTOLE_REPORT_HTML_H

#include <stdio.h>

#include "report/report.h"

/* `figures` is the folder with the drawn figures; those that are missing are left out,
 * with the warning (NULL: none) in their place. Errors of the stream are found by whoever
 * closes it. Returns an exit code. */
int systole_report_html(FILE *file, const systole_report *report, const char *figures,
                        const char *warning);

#endif
