/* A comparison as Markdown for a pull request: what failed or changed, what the tables
 * say, and all runs folded away. */
#ifndef SYSTOLE_REPORT_MARKDOWN_H
#define SYSTOLE_REPORT_MARKDOWN_H

#include <stdio.h>

#include "report/report.h"

/* Errors of the stream are found by whoever closes it. */
void systole_report_markdown(FILE *file, const systole_report *report);

#endif
